/** A real apply worker in a real user namespace of a person's, spoken to as the pulling process does (layer/protocol.ts). */
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Compression, WorkerReply, WorkerRequest } from "../../src/layer/protocol.ts";
import type { Person } from "./machine.ts";

const main = join(import.meta.dir, "../../src/main.ts");

/** Words before a command that make the person root over all their ids (unshare(1)); root has them as it is. */
export function namespaceOf(person: Person): readonly string[] {
  const user = person.uid === 0 ? [] : ["--user", "--map-auto", "--map-root-user"];
  return [...person.prefix, "unshare", "--mount", ...user, "--"];
}

export interface LayerWorker extends AsyncDisposable {
  send(request: WorkerRequest): void;
  reply(): Promise<WorkerReply>;
  /** Apply an archive that is complete; `directory` takes the blob. */
  apply(blob: Buffer, target: string, options?: ApplyOptions): Promise<WorkerReply>;
  /** Close its stdin; resolves to its exit status. */
  close(): Promise<number>;
  readonly pid: number;
}

export interface ApplyOptions {
  readonly compression?: Compression;
  readonly maxBytes?: number;
  readonly diffId?: `sha256:${string}`;
}

/** `scratch`: a directory that the person may read; `setup`: a shell command in its namespaces before it starts. */
export async function startWorker(person: Person, scratch: string, setup = ":"): Promise<LayerWorker> {
  const shell = ["sh", "-c", `${setup} && exec "$@"`, "sh"];
  const command = [...namespaceOf(person), ...shell, process.execPath, main, "__apply-worker"];
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const replies = lines(child.stdout);
  const reply = async (): Promise<WorkerReply> => {
    const next = await replies.next();
    if (next.done === true) throw new Error("the worker has ended");
    return JSON.parse(next.value) as WorkerReply;
  };
  const send = (request: WorkerRequest): void => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    child.stdin.flush();
  };
  const close = async (): Promise<number> => {
    child.stdin.end();
    return await child.exited;
  };
  const ready = await reply();
  if (ready.kind !== "ready") throw new Error(`the worker began with ${ready.kind}`);
  let blobs = 0;
  return {
    pid: child.pid,
    send,
    reply,
    close,
    apply: async (bytes, target, options = {}) => {
      const blob = join(scratch, `blob-${blobs++}`);
      writeFileSync(blob, bytes);
      const { compression = "none", maxBytes = 2 ** 40, diffId } = options;
      const sizeBytes = bytes.length;
      send({ kind: "apply", label: "layer 1", blob, compression, target, diffId, sizeBytes, maxBytes });
      send({ kind: "available", bytes: sizeBytes });
      return await reply();
    },
    [Symbol.asyncDispose]: async () => {
      await close();
    },
  };
}

export function digestOf(bytes: Buffer): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
