/**
 * `devbox bundle`: what `run` would start as an OCI bundle of its own, for any runtime: config.json, the files that it
 * mounts, and the root file system as a plain tree.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import type { BundleSource } from "../bundle/bundle.ts";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { defaultIdMap } from "../host/id-map.ts";
import { finishCopy, startPlannedCopier } from "../image/workers/copy-process.ts";
import type { BoxPaths } from "../store/types.ts";
import { asInImage, layersCopier } from "./copy-places.ts";
import { planNetwork } from "./network.ts";
import { type Bundled, openSurroundings, prepareBundle, type Surroundings } from "./prepare.ts";
import type { RunRequest } from "./request.ts";
import { findSource } from "./source.ts";
import { prepareVolumes } from "./volumes.ts";

/**
 * @param directory empty, or not there
 * @throws DevboxError of every stage; what was made is removed again where that needs no other ids
 */
export async function makeBundle(context: Context, request: RunRequest, directory: string): Promise<void> {
  const path = resolve(directory);
  const around = openSurroundings(context);
  const source = await findSource(context, around, request);
  makeEmpty(path);
  try {
    await fillBundle(context, around, source, request, path);
  } catch (error) {
    for (const name of readdirSync(path)) rmSync(`${path}/${name}`, { recursive: true, force: true });
    throw error;
  }
}

function makeEmpty(path: string): void {
  const step = `make a bundle in ${path}`;
  try {
    // Users of the box are others on this machine, and must reach what is mounted from here.
    mkdirSync(path, { recursive: true, mode: 0o755 });
    if (readdirSync(path).length === 0) return;
  } catch (cause) {
    const hint = "give a directory that is empty, or not there yet";
    throw new DevboxError(errnoName(cause) === "ENOSPC" ? "STORE_FULL" : "USAGE", { step, cause, hint });
  }
  throw new DevboxError("USAGE", {
    step,
    because: "it is not empty",
    hint: "give a directory that is empty, or not there",
  });
}

async function fillBundle(
  context: Context,
  around: Surroundings,
  source: BundleSource,
  request: RunRequest,
  directory: string,
): Promise<void> {
  const { store, facts } = around;
  const { options } = request;
  const paths = pathsOf(directory);
  const idMap = defaultIdMap(facts);
  await prepareVolumes(context, { store, facts, idMap, source, boxDirectory: directory }, options.mounts);
  using network = await planNetwork(context, options, facts, paths);
  const bundled: Bundled = { source, created: { paths }, network, idMap };
  // It is no box of the store: nothing is remembered of it.
  await prepareBundle(around, bundled, { ...request, options: { ...options, keep: false } });
  // These are of the overlay that a box of devbox has.
  for (const name of ["upper", "work"]) rmSync(`${directory}/${name}`, { recursive: true, force: true });
  await copyRoot(context, around, source, directory);
}

function pathsOf(directory: string): BoxPaths {
  return {
    // The host name of the box is made of it.
    id: crypto.randomUUID().replaceAll("-", ""),
    directory,
    config: `${directory}/config.json`,
    state: `${directory}/state.json`,
    lock: `${directory}/lock`,
  };
}

/** All layers as one tree, with the owners that the id maps of config.json give them. */
async function copyRoot(
  context: Context,
  { store, facts }: Surroundings,
  source: BundleSource,
  directory: string,
): Promise<void> {
  if (source.kind !== "image" || source.image.layers.length === 0) return;
  const lowers = source.image.layers.map(({ path }) => path).reverse();
  // Mounted on the store's locks, which the worker does not need, in a namespace of its own.
  const place = { facts, idMap: defaultIdMap(facts), storeRoot: store.root, lowers, mountpoint: store.locks };
  const from = { path: "/", shown: "the image", follow: true };
  const to = {
    path: `${directory}/rootfs`,
    shown: `${directory}/rootfs`,
    ...asInImage,
  };
  const worker = startPlannedCopier(layersCopier(place), { from, to }, ["ignore", "ignore"]);
  for (const note of await finishCopy(worker, context.signal)) context.log.debug(note);
}
