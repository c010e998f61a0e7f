/** Removing a box that was kept. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { findBox, lockEndedBox, removeBox, sweepBoxes } from "../store/boxes.ts";
import { openStore } from "../store/open.ts";

/**
 * Takes ended boxes off the disk.
 * @param boxes names, or ids or the beginnings of ids
 * @returns their names, in order
 * @throws DevboxError BOX_NOT_FOUND, BOX_RUNNING; those before it are gone then
 */
export async function removeBoxes(context: Context, boxes: readonly string[]): Promise<readonly string[]> {
  const store = openStore(context.env);
  // A box whose devbox was killed is "running" until somebody looks.
  sweepBoxes(store);
  let isAllRemoved = true;
  const names: string[] = [];
  try {
    for (const box of boxes) {
      const { paths, record } = findBox(store, box);
      const lock = lockEndedBox(paths);
      if (lock === undefined)
        throw new DevboxError("BOX_RUNNING", { step: `remove the box ${box}`, because: "it is running" });
      isAllRemoved = removeBox(store, paths, record.name, lock) && isAllRemoved;
      names.push(record.name);
    }
  } finally {
    if (!isAllRemoved) {
      const { emptyTrash } = await import("../image/trash.ts");
      await emptyTrash(store, readHostFacts(context.env));
    }
  }
  return names;
}
