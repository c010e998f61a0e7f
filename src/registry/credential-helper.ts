/** Credential helpers: programs `docker-credential-NAME` that keep passwords in a key ring (docker-credential-helpers protocol). */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { member, parseJson, readString } from "../oci/json.ts";
import type { Credentials } from "./credentials.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;

/** What a helper prints on stdout, with a failing status, when it does not know the server. */
const notFoundMessages: readonly string[] = [
  "credentials not found",
  "no credentials server URL",
  "no credentials username",
];

/**
 * Ask `docker-credential-NAME get`; the server's name goes to its stdin. undefined: it has none.
 * Its answer is a secret: nothing of stdout gets into an error, except of the known messages.
 * @throws REGISTRY_AUTH where the helper is missing or fails.
 */
export async function askCredentialHelper(
  context: Context,
  name: string,
  server: string,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const step = `ask the credential helper ${program}`;
  const path = name.includes("/") ? null : Bun.which(program, { PATH: context.env["PATH"] ?? "" });
  if (path === null) throw new DevboxError("REGISTRY_AUTH", { step, because: "it is not on PATH" });
  const child = Bun.spawn([path, "get"], {
    stdin: new TextEncoder().encode(server),
    stdout: "pipe",
    stderr: "ignore",
    env: { ...context.env },
    signal: context.signal,
    maxBuffer: MAX_ANSWER_BYTES,
  });
  const answer = await child.stdout.bytes();
  const status = await child.exited;
  if (status === 0) return parseAnswer(answer, step, program);
  const text = new TextDecoder().decode(answer);
  if (notFoundMessages.some((message) => text.includes(message))) return undefined;
  throw new DevboxError("REGISTRY_AUTH", { step, because: `it failed with status ${status}` });
}

function parseAnswer(answer: Uint8Array, step: string, program: string): Credentials | undefined {
  const root = parseJson(answer, { code: "REGISTRY_AUTH", step }, MAX_ANSWER_BYTES);
  const username = readString(member(root, "Username"));
  const secret = readString(member(root, "Secret"));
  if (username === "<token>") return { kind: "identity-token", token: secret, source: program };
  return username === "" ? undefined : { kind: "password", username, password: secret, source: program };
}
