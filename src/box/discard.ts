/** Taking a box off the disk, with the files that belong to mapped ids. */
import { DevboxError } from "../core/errors.ts";
import { type CreatedBox, removeBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import type { Surroundings } from "./prepare.ts";

/** Takes a box that did not come up off the disk; what goes wrong with that travels along with `error`. */
export async function discardBox(
  around: Surroundings,
  { created }: { readonly created: CreatedBox },
  error: unknown,
): Promise<void> {
  try {
    await removeWhole(around, created);
  } catch (second) {
    if (error instanceof DevboxError) error.alsoFailed.push(second);
  }
}

/** Takes a box off the disk whose lock is held, and all that it made. */
export async function removeWhole({ store, facts }: Surroundings, { paths, record, lock }: CreatedBox): Promise<void> {
  const isWhole = removeBox(store, paths, record.name, lock);
  recordEvent(store, boxEvent("remove", record));
  if (isWhole) return;
  // What the box made under other ids can be removed only from inside the user namespace.
  const { emptyTrash } = await import("../image/workers/trash.ts");
  await emptyTrash(store, facts);
}
