/** Requests from the parent: JSON, one a line (protocol.ts). Both sides are the same program, so a wrong line is a bug. */
import { DevboxError } from "../core/errors.ts";
import type { WorkerRequest } from "./protocol.ts";

/** Every request, as soon as its line is complete; ends when the other end of the pipe is closed. */
export async function* readMessages(input: number): AsyncGenerator<WorkerRequest> {
  for await (const line of readLines(input)) yield parseRequest(line);
}

/** The complete lines of a pipe, as they come, for either side of the protocol; what is cut off at its end is none. */
export async function* readLines(input: number): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of Bun.file(input).stream()) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

const kinds: ReadonlySet<unknown> = new Set([
  "apply",
  "available",
  "complete",
  "abort",
  "settle",
  "remove",
  "compare",
  "measure",
  "share",
]);

function parseRequest(line: string): WorkerRequest {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && "kind" in value && kinds.has(value.kind)) {
    return value as WorkerRequest;
  }
  throw new DevboxError("INTERNAL", { step: "read a request of the parent", because: line.slice(0, 200) });
}
