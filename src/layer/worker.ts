/**
 * `devbox __apply-worker`: applies, settles, compares and removes layers for another process (protocol.ts), one request at a
 * time. It is started as root of a user namespace, ends with its parent (end of stdin), and outlives failed layers.
 */
import { constants, openSync } from "node:fs";
import { umask } from "../../ffi/libc.ts";
import { applyLayer } from "./apply.ts";
import { createGate, type Gate } from "./blob-source.ts";
import { explainFailure } from "./failure.ts";
import { readMessages } from "./messages.ts";
import type { WorkerReply, WorkerRequest } from "./protocol.ts";
import { removeTree } from "./remove.ts";
import { settleLayer } from "./settle.ts";

/** The apply under way; messages about it move its gate. */
interface Worker {
  readonly realRoot: number;
  readonly reply: (message: WorkerReply) => Promise<void>;
  gate: Gate | undefined;
  /** Requests are answered in order. */
  queue: Promise<void>;
}

/** Serve until the input ends. By default stdin and stdout. */
export async function runApplyWorker(inputFd = 0, outputFd = 1): Promise<void> {
  // The program starts with a JIT that is slow to compile, for those that end at once (scripts/build).
  Bun.unsafe.setJITPolicy(1);
  // Modes are those of the archive, not of the user who pulls.
  umask(0);
  const realRoot = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
  const output = Bun.file(outputFd).writer();
  const reply = async (message: WorkerReply): Promise<void> => {
    output.write(`${JSON.stringify(message)}\n`);
    await output.flush();
  };
  const worker: Worker = { realRoot, reply, gate: undefined, queue: Promise.resolve() };
  await reply({ kind: "ready" });
  for await (const message of readMessages(inputFd)) accept(worker, message);
  // The parent is gone: nobody is left to finish for, and it will find the layer unfinished.
  process.exit(0);
}

function accept(worker: Worker, request: WorkerRequest): void {
  if (request.kind === "available") worker.gate?.advance(request.bytes);
  else if (request.kind === "complete") worker.gate?.end();
  else if (request.kind === "abort") worker.gate?.abort();
  else {
    // Before its turn comes, messages about it may arrive.
    const gate = createGate();
    if (request.kind === "apply") worker.gate = gate;
    worker.queue = worker.queue.then(async () => await worker.reply(await serve(worker, request, gate)));
  }
}

type Task = Exclude<WorkerRequest, { readonly kind: "available" | "complete" | "abort" }>;

async function serve(worker: Worker, task: Task, gate: Gate): Promise<WorkerReply> {
  try {
    return await perform(worker, task, gate);
  } catch (error) {
    const { code, step, because, hint } = explainFailure(actionOf(task), error);
    return { kind: "failed", code, step, because, hint };
  }
}

async function perform(worker: Worker, task: Task, gate: Gate): Promise<WorkerReply> {
  switch (task.kind) {
    case "apply":
      return { kind: "applied", ...(await applyLayer(task, gate, worker.realRoot)) };
    case "settle":
      settleLayer(task);
      return { kind: "settled" };
    case "remove":
      removeTree(task.path);
      return { kind: "removed" };
    case "compare":
      return { kind: "compared", ...(await import("./compare.ts")).compareTrees(task) };
    case "share":
      return { kind: "shared", shared: await (await import("./share.ts")).shareLayer(task) };
    case "measure":
      return { kind: "measured", bytes: (await import("./measure.ts")).measureTree(task.path).bytes };
  }
}

function actionOf(task: Task): string {
  return `${task.kind} ${"label" in task ? task.label : task.path}`;
}
