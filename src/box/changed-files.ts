/** What a box has changed, as a worker reads it (layer/changes): in the user namespace whose ids its files have. */
import { closeSync } from "node:fs";
import { join } from "node:path";
import { pipe2 } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { defaultIdMap } from "../host/id-map.ts";
import {
  type ChangesRequest,
  type CopyTask,
  finishCopy,
  type PlanCopier,
  startPlannedCopier,
} from "../image/workers/copy-process.ts";
import { beginPlan } from "../launch/plan.ts";
import { cloneWithUserNamespace } from "../launch/userns.ts";
import { layerTree } from "../store/paths.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { readBoxConfig } from "./config-file.ts";

/** The files of a box whose root is an overlay. */
export type BoxFiles = Pick<ChangesRequest, "upper" | "lowers" | "mountPoints">;

/** @throws DevboxError BOX_STATE of a box on a directory of this machine, in which nothing tells what it has changed */
export function findBoxFiles(
  store: Store,
  { paths, record }: { paths: BoxPaths; record: BoxRecord },
  verb: string,
): BoxFiles {
  if (record.manifestDigest === undefined) {
    throw new DevboxError("BOX_STATE", {
      step: `${verb} the box ${record.name}`,
      because: "it runs on a directory of this machine, where nothing tells what it has changed",
      hint: `its files as an archive: devbox export ${record.name}`,
    });
  }
  return {
    upper: `${paths.directory}/upper`,
    lowers: record.chainIds.map((chainId) => join(store.root, layerTree(chainId))).reverse(),
    mountPoints: readBoxConfig(paths).mounts.map(({ destination }) => destination),
  };
}

/** A worker as root of the user namespace that layers are made in; it sees the files of this machine. */
export function namespaceCopier(facts: HostFacts): PlanCopier {
  return (execute) => {
    const plan = beginPlan("read what a box has changed");
    const request = { label: "create the user namespace for layers", flags: 0, map: defaultIdMap(facts), host: facts };
    const child = cloneWithUserNamespace(plan, request, () => execute(plan, undefined));
    plan.add({ kind: "supervise", slot: child, tied: true });
    return { plan: plan.finish(), fds: {} };
  };
}

/**
 * What a copy worker writes. Left early, it ends the worker.
 * @param onNotes told at the end what could not be written as it is
 * @throws DevboxError as the worker says, when it has ended
 */
export async function* outputOf(
  copier: PlanCopier,
  task: CopyTask,
  signal: AbortSignal,
  onNotes: (notes: readonly string[]) => void,
): AsyncGenerator<Uint8Array> {
  const [read, write] = pipe2();
  let isOpen = true;
  try {
    const worker = startOnto(copier, task, write);
    const notes = finishCopy(worker, signal);
    // It is awaited behind the output; until then a failure must not end the process.
    notes.catch(() => {});
    try {
      yield* Bun.file(read).stream();
      onNotes(await notes);
      isOpen = false;
    } finally {
      if (isOpen) worker.kill();
    }
  } finally {
    closeSync(read);
  }
}

function startOnto(copier: PlanCopier, task: CopyTask, write: number) {
  try {
    return startPlannedCopier(copier, task, ["ignore", write]);
  } finally {
    closeSync(write);
  }
}
