/**
 * The second step of applying a layer: what needs the layers below. Layers are applied side by side, so the first step only
 * wrote it down (protocol.ts, `Pending`); this one runs when those below are settled themselves. It changes nothing in them.
 *
 * Runs as root of the user namespace, not chrooted: no path is given to the kernel before each of its components is known
 * to be a directory, and trees in the store do not change.
 */
import { lstatSync } from "node:fs";
import { byteStringOfText, fromBase64 } from "./byte-string.ts";
import type { WorkerRequest } from "./protocol.ts";
import { restoreTimes, type Settling } from "./settle/copy-up.ts";
import { settleLink } from "./settle/links.ts";
import { settleParents } from "./settle/parents.ts";
import { hideAllBelow, settleWhiteout } from "./settle/whiteouts.ts";

export type SettleRequest = Extract<WorkerRequest, { readonly kind: "settle" }>;

/** Throws LAYER_INVALID for a hard link without a target, otherwise what node:fs and ffi throw. */
export function settleLayer({ target, lowers, pending }: SettleRequest): void {
  const trees = [target, ...lowers];
  for (const tree of trees) lstatSync(tree);
  const settling: Settling = { view: { trees: trees.map(byteStringOfText) }, times: new Map() };
  settleParents(settling, pending.parents.map(fromBase64));
  for (const { path, target: linked, below } of pending.links) {
    settleLink(settling, { path: fromBase64(path), target: fromBase64(linked), below });
  }
  const whiteouts = pending.whiteouts.map(fromBase64);
  for (const path of whiteouts) if (path !== "") settleWhiteout(settling, path);
  if (whiteouts.includes("")) hideAllBelow(settling);
  restoreTimes(settling);
}
