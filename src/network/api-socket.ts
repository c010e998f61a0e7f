/** The API socket of slirp4netns (slirp4netns(1) "API SOCKET"): one JSON request a connection, then the answer. */
import { closeSync, constants, openSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";

/** What slirp4netns answered: `error` in its words, or undefined where it did what it was asked. */
export interface ApiAnswer {
  readonly error: string | undefined;
}

/**
 * Sends a request to the socket `name` in `directory`.
 * The directory is reached through a descriptor: the path of a unix socket has at most 107 bytes (unix(7)).
 */
export async function askSlirp4netns(directory: string, name: string, request: object): Promise<ApiAnswer> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return parseAnswer(await exchange(`/proc/self/fd/${fd}/${name}`, JSON.stringify(request)));
  } catch (cause) {
    if (cause instanceof DevboxError) throw cause;
    throw new DevboxError("NETWORK_FAILED", { step: "talk to slirp4netns", cause });
  } finally {
    closeSync(fd);
  }
}

/** Writes `text`, ends our side as slirp4netns wants it, and reads to the end. */
function exchange(path: string, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let answer = "";
  Bun.connect({
    unix: path,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        // A request has at most 4096 bytes: an empty socket takes it whole.
        socket.write(text);
        socket.shutdown();
      },
      data(_, bytes) {
        answer += decoder.decode(bytes, { stream: true });
      },
      end(socket) {
        socket.end();
      },
      close: () => resolve(answer),
      error: (_, error) => reject(error),
      connectError: (_, error) => reject(error),
    },
  }).catch(reject);
  return promise;
}

/** `{"return": …}` or `{"error": {"desc": "…"}}`. */
function parseAnswer(text: string): ApiAnswer {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === "object" && answer !== null) {
      if ("return" in answer) return { error: undefined };
      if ("error" in answer) return { error: describe(answer.error) };
    }
  } catch {
    // Said below, with what came.
  }
  throw new DevboxError("NETWORK_FAILED", {
    step: "talk to slirp4netns",
    because: text === "" ? "it gave no answer" : `its answer is ${text.slice(0, 200)}`,
  });
}

function describe(error: unknown): string {
  return typeof error === "object" && error !== null && "desc" in error ? String(error.desc) : JSON.stringify(error);
}
