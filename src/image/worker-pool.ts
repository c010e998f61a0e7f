/**
 * A pool of apply workers. Starting one takes about 35 ms, so there are as many as processors, started when first
 * needed, and fed one request after the other. Whoever uses a worker has it alone.
 */
import { DevboxError, type ErrorCode, errorTable } from "../core/errors.ts";
import type { WorkerReply, WorkerRequest } from "../layer/protocol.ts";
import type { StartWorker, WorkerProcess } from "./worker-process.ts";

export interface Worker {
  send(request: WorkerRequest): void;
  /** The next reply. @throws DevboxError with the worker's own code for "failed"; INTERNAL when the worker died */
  reply(): Promise<WorkerReply>;
}

export interface WorkerPool extends AsyncDisposable {
  /** Start one worker now, beside other work; a failure is reported by the first `use`. */
  warm(): void;
  /** Give a worker to `task`, alone, as soon as one is free. */
  use<T>(task: (worker: Worker) => Promise<T>): Promise<T>;
}

/** @param size how many workers at most: a processor each */
export function createWorkerPool(start: StartWorker, size: number): WorkerPool {
  const idle: WorkerProcess[] = [];
  const waiting: ((worker: WorkerProcess | undefined) => void)[] = [];
  const living = new Set<WorkerProcess>();
  let starting: Promise<WorkerProcess> | undefined;
  let count = 0;

  const begin = async (): Promise<WorkerProcess> => {
    count += 1;
    try {
      const worker = await start();
      living.add(worker);
      return worker;
    } catch (error) {
      count -= 1;
      throw error;
    }
  };
  const take = async (): Promise<WorkerProcess> => {
    for (;;) {
      const free = idle.pop();
      if (free !== undefined) return free;
      if (starting !== undefined) {
        const warmed = starting;
        starting = undefined;
        return await warmed;
      }
      if (count < size) return await begin();
      const handed = await new Promise<WorkerProcess | undefined>((resolve) => waiting.push(resolve));
      if (handed !== undefined) return handed;
    }
  };
  const giveBack = (worker: WorkerProcess): void => {
    const next = waiting.shift();
    if (!worker.isAlive()) {
      living.delete(worker);
      count -= 1;
      // The one who waits may start another in its place.
      next?.(undefined);
    } else if (next !== undefined) next(worker);
    else idle.push(worker);
  };
  return {
    warm() {
      if (starting !== undefined || count > 0) return;
      starting = begin();
      // Whoever takes it sees the failure; if nobody does, it does not matter.
      starting.catch(() => {});
    },
    async use(task) {
      const worker = await take();
      try {
        return await task({ send: (request) => worker.send(request), reply: () => nextReply(worker) });
      } finally {
        giveBack(worker);
      }
    },
    async [Symbol.asyncDispose]() {
      await starting?.catch(() => {});
      await Promise.all([...living].map((worker) => worker.end()));
    },
  };
}

async function nextReply(worker: WorkerProcess): Promise<WorkerReply> {
  const reply = await worker.reply();
  if (reply.kind !== "failed") return reply;
  throw new DevboxError(isErrorCode(reply.code) ? reply.code : "INTERNAL", {
    step: reply.step,
    ...(reply.because === undefined ? {} : { because: reply.because }),
    ...(reply.hint === undefined ? {} : { hint: reply.hint }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
