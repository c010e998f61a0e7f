/**
 * What layers save by sharing files (layer/share.ts): `layers/<chainID>/shared.json`, written when a layer has been looked
 * through for files that another layer has as well. A layer without one has not been looked through.
 */
import type { Store } from "./types.ts";

/** What is saved now. */
export interface SharedFiles {
  readonly files: number;
  /** On disk, not the lengths of the files. */
  readonly savedBytes: number;
}

/** Of layers that are there, with layers that are there. */
export function readShared(_store: Store): SharedFiles {
  return { files: 0, savedBytes: 0 };
}
