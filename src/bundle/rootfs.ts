/** The root file system of a new box, planned from the image's layers. */
import { statSync } from "node:fs";
import { posix } from "node:path";
import { DevboxError } from "../core/errors.ts";
import type { BundleInput, BundleSource } from "./bundle.ts";
import type { RootfsPlan } from "./rootfs-plan.ts";

/** @throws BAD_CONFIG where the directory of a `dir:` source is none. */
export function checkSource(source: BundleSource): void {
  if (source.kind !== "directory") return;
  const [step, hint] = [
    `use ${source.path} as the root of the box`,
    "give a directory with a root file system: dir:DIR",
  ];
  let isDirectory: boolean | undefined;
  try {
    isDirectory = statSync(source.path, { throwIfNoEntry: false })?.isDirectory();
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step, cause, hint });
  }
  if (isDirectory === true) return;
  const because = isDirectory === undefined ? "there is no such directory" : "it is not a directory";
  throw new DevboxError("BAD_CONFIG", { step, because, hint });
}

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
