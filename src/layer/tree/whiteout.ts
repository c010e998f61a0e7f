/** What a layer takes away from the layers below, as overlayfs spells it. It takes nothing away from its own layer. */
import { AT_FDCWD, S_IFCHR } from "../../../ffi/constants.ts";
import { mknodat } from "../../../ffi/libc.ts";
import type { ByteString } from "../byte-string.ts";
import type { DirectoryNode, LayerTree } from "./directory.ts";
import { makeFresh } from "./place.ts";
import { pathTo, statIn } from "./reach.ts";

/**
 * `.wh.NAME`: hide `name` of the layers below (mknod(2) of 0:0 is allowed in user namespaces since 5.8).
 * A directory of this layer at `name` shows only its own; anything else of this layer hides the lower one anyway.
 */
export function hideBelow(tree: LayerTree, directory: DirectoryNode, name: ByteString): void {
  const own = directory.children.get(name);
  if (own !== undefined) {
    makeFresh(own);
    return;
  }
  if (directory.links?.has(name) || statIn(tree, directory, name) !== undefined) return;
  mknodat(AT_FDCWD, pathTo(tree, directory, name), S_IFCHR, 0);
  tree.whiteouts.push({ directory, name });
}
