/** The pool that all verbs on images use: as many workers as processors, in the user namespace of the default map. */
import type { HostFacts } from "../../host/facts.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";
import { workerStarter } from "./worker-process.ts";

export function openWorkerPool(facts: HostFacts): WorkerPool {
  return createWorkerPool(workerStarter(facts), navigator.hardwareConcurrency);
}
