/** The root file system of a new box, planned from the image's layers. */
import { posix } from "node:path";
import type { BundleInput } from "./bundle.ts";
import type { RootfsPlan } from "./rootfs-plan.ts";

/** The trees that make the root before the box writes to it: absolute, topmost first. */
export function layerRoots({ source, storeRoot }: Pick<BundleInput, "source" | "storeRoot">): readonly string[] {
  if (source.kind === "directory") return [source.path];
  return source.image.layers.map(({ path }) => `${storeRoot}/${path}`).reverse();
}

export function planRootfs({ source, storeRoot, box, options }: BundleInput): RootfsPlan {
  if (source.kind === "directory") return { kind: "directory", path: source.path };
  const lowers = source.image.layers.map(({ path }) => path).reverse();
  // overlayfs wants a lower layer; an image without any (FROM scratch) needs none.
  if (lowers.length === 0) return { kind: "directory", path: `${box.directory}/upper` };
  const directory = posix.relative(storeRoot, box.directory);
  // A volatile upper layer cannot be mounted a second time: not for a box that is kept to be started again.
  return { kind: "overlay", lowers, upper: `${directory}/upper`, work: `${directory}/work`, volatile: !options.keep };
}
