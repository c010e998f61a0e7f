/** Put a layer that was made anew in the place of a damaged one. */
import { DevboxError } from "../../core/errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { shortDigest } from "../../oci/digest.ts";
import { isWatched } from "../../store/box-state.ts";
import {
  finishLayer,
  isNamed,
  type LayerBuild,
  type LayerRecord,
  moveToTrash,
  replaceLayer,
  writeLayerRecord,
} from "../../store/layers.ts";
import { waitForLock } from "../../store/locks.ts";
import { boxPaths, layerDirectory, referencesLockPath } from "../../store/paths.ts";
import type { BoxRecord, Store } from "../../store/types.ts";
import { boxesOf } from "../garbage/remove.ts";
import type { VerifyWork } from "./damage.ts";

/**
 * The lock of the layer is held. Afterwards the damaged tree lies in the directory of the build.
 * @throws DevboxError IMAGE_IN_USE naming the boxes that have it mounted: they would see files of two trees
 */
export async function replaceTree(
  { context, store }: VerifyWork,
  build: LayerBuild,
  record: LayerRecord,
): Promise<void> {
  // No box can be made meanwhile: it would write its record under this lock (store/boxes.ts).
  using _references = await waitForLock(context, referencesLockPath(store), "exclusive");
  const users = boxesOf(context, store).filter(
    (box) => box.chainIds.includes(build.chainId) && isWatched(boxPaths(store, box.id)),
  );
  if (users.length > 0) throw inUse(build.chainId, users);
  if (isNamed(store, build.chainId)) replaceLayer(store, build, record);
  else putInPlace(store, build, record);
}

/** What is left of the layer may still have the name: `layer.json` without a tree. */
function putInPlace(store: Store, build: LayerBuild, record: LayerRecord): void {
  moveToTrash(layerDirectory(store, build.chainId), store.layers);
  finishLayer(store, build, record);
}

/** @throws DevboxError STORE_* */
export function mendRecord(store: Store, record: LayerRecord): void {
  writeLayerRecord(store, layerDirectory(store, record.chainId), record);
}

function inUse(chainId: Digest, users: readonly BoxRecord[]): DevboxError {
  const names = users.map(({ name, status }) => `${name} (${status})`).join(", ");
  return new DevboxError("IMAGE_IN_USE", {
    step: `replace layer ${shortDigest(chainId)}`,
    because: `it is used by ${names}`,
    hint: `stop them first: devbox stop ${users.map(({ name }) => name).join(" ")}`,
  });
}
