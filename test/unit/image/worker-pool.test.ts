import { expect, test } from "bun:test";
import { createWorkerPool } from "../../../src/image/workers/worker-pool.ts";
import type { StartWorker, WorkerProcess } from "../../../src/image/workers/worker-process.ts";
import type { WorkerReply } from "../../../src/layer/protocol.ts";

/** Workers that answer what they are told to, and die when they run out of answers. */
function scripted(replies: readonly WorkerReply[][]): { start: StartWorker; started: number; ended: number } {
  const script = [...replies];
  const counts = {
    started: 0,
    ended: 0,
    start: async (): Promise<WorkerProcess> => {
      counts.started += 1;
      const mine = [...(script.shift() ?? [])];
      let alive = true;
      return {
        send: () => {},
        reply: async () => {
          const next = mine.shift();
          if (next !== undefined) return next;
          alive = false;
          throw new Error("died");
        },
        isAlive: () => alive,
        end: async () => {
          counts.ended += 1;
        },
      };
    },
  };
  return counts;
}

const many: WorkerReply[] = Array.from({ length: 100 }, () => ({ kind: "removed" }));

test("no more workers than places, used again and again, each by one task at a time", async () => {
  const workers = scripted([many, many, many]);
  let busy = 0;
  let most = 0;
  {
    await using pool = createWorkerPool(workers.start, 2);
    const tasks = Array.from({ length: 20 }, () =>
      pool.use(async (worker) => {
        busy += 1;
        most = Math.max(most, busy);
        await worker.reply();
        busy -= 1;
      }),
    );
    await Promise.all(tasks);
    expect([workers.started, most]).toEqual([2, 2]);
  }
  expect(workers.ended).toBe(2);
});

test("nothing is started that nobody needs; what was warmed is used", async () => {
  const workers = scripted([many, many]);
  await using pool = createWorkerPool(workers.start, 2);
  expect(workers.started).toBe(0);
  pool.warm();
  pool.warm();
  expect(workers.started).toBe(1);
  await pool.use((worker) => worker.reply());
  expect(workers.started).toBe(1);
});

test("a worker that died is replaced, and its failure is its task's alone", async () => {
  const workers = scripted([[], many]);
  await using pool = createWorkerPool(workers.start, 1);
  const first = pool.use((worker) => worker.reply());
  const second = pool.use((worker) => worker.reply());
  await expect(first).rejects.toThrow("died");
  expect(await second).toEqual({ kind: "removed" });
  expect(workers.started).toBe(2);
});

test("a failure has the worker's code, step and reason", async () => {
  const failed = { kind: "failed", step: "apply x", because: "it is bad", hint: undefined } as const;
  const workers = scripted([[{ ...failed, code: "LAYER_ESCAPE" }, { ...failed, code: "NOT_A_CODE" }, ...many]]);
  await using pool = createWorkerPool(workers.start, 1);
  const use = () => pool.use((worker) => worker.reply());
  await expect(use()).rejects.toMatchObject({ code: "LAYER_ESCAPE", step: "apply x", because: "it is bad" });
  await expect(use()).rejects.toMatchObject({ code: "INTERNAL" });
  expect(await use()).toEqual({ kind: "removed" });
});

test("when none can be started, everybody hears why", async () => {
  const start: StartWorker = () => Promise.reject(new Error("no user namespaces"));
  await using pool = createWorkerPool(start, 1);
  pool.warm();
  await expect(pool.use(async () => {})).rejects.toThrow("no user namespaces");
  await expect(pool.use(async () => {})).rejects.toThrow("no user namespaces");
});
