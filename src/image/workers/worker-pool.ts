/**
 * A pool of apply workers. Starting one takes about 35 ms, so there are as many as processors, started when first
 * needed, and fed one request after the other. Whoever uses a worker has it alone.
 */
import { DevboxError, type ErrorCode, errorTable } from "../../core/errors.ts";
import type { WorkerReply, WorkerRequest } from "../../layer/protocol.ts";
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
  const crew = createCrew(start, size);
  return {
    warm: crew.warm,
    async use(task) {
      const worker = await crew.take();
      try {
        return await task({ send: (request) => worker.send(request), reply: () => nextReply(worker) });
      } finally {
        crew.giveBack(worker);
      }
    },
    [Symbol.asyncDispose]: crew.end,
  };
}

/** Who is there, who is free, who waits. */
interface Crew {
  warm(): void;
  take(): Promise<WorkerProcess>;
  giveBack(worker: WorkerProcess): void;
  end(): Promise<void>;
}

function createCrew(start: StartWorker, size: number): Crew {
  const idle: WorkerProcess[] = [];
  const waiting: (() => void)[] = [];
  const living = new Set<WorkerProcess>();
  /** Begun by `warm`, not yet taken. */
  let warmed: Promise<WorkerProcess> | undefined;
  let count = 0;
  const begin = async (): Promise<WorkerProcess> => {
    count += 1;
    try {
      const worker = await start();
      living.add(worker);
      return worker;
    } catch (error) {
      count -= 1;
      // The next in line may try in its place, and hear why it does not work.
      waiting.shift()?.();
      throw error;
    }
  };
  return {
    warm() {
      if (warmed !== undefined || count > 0) return;
      warmed = begin();
      // Whoever takes it sees the failure; if nobody does, it does not matter.
      warmed.catch(() => {});
    },
    async take() {
      for (;;) {
        const free = idle.pop() ?? warmed ?? (count < size ? begin() : undefined);
        if (free === warmed) warmed = undefined;
        if (free !== undefined) return await free;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    giveBack(worker) {
      if (worker.isAlive()) idle.push(worker);
      else {
        living.delete(worker);
        count -= 1;
      }
      waiting.shift()?.();
    },
    async end() {
      await warmed?.catch(() => {});
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
