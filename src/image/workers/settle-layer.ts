/** The second half of an apply: what needs the layers below, once they are there. */
import { DevboxError } from "../../core/errors.ts";
import type { WorkerRequest } from "../../layer/protocol.ts";
import type { WorkerPool } from "./worker-pool.ts";

export type SettleRequest = Omit<Extract<WorkerRequest, { kind: "settle" }>, "kind">;

/** Settle in the next free worker; a layer with nothing pending needs none. @throws DevboxError LAYER_* */
export async function settleLayer(pool: WorkerPool, request: SettleRequest): Promise<void> {
  const { parents, links, whiteouts } = request.pending;
  if (parents.length + links.length + whiteouts.length === 0) return;
  await pool.use(async (worker) => {
    worker.send({ kind: "settle", ...request });
    const reply = await worker.reply();
    if (reply.kind === "settled") return;
    throw new DevboxError("INTERNAL", {
      step: `settle ${request.label}`,
      because: `the worker answered "${reply.kind}"`,
    });
  });
}
