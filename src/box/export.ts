/** `devbox export`: all files of a box as one tar archive; what is mounted in it is not the box's. */
import { closeSync, openSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { defaultIdMap } from "../host/id-map.ts";
import { attempt, createFile } from "../image/destinations/write-file.ts";
import { type CopyTask, finishCopy, startPlannedCopier } from "../image/workers/copy-process.ts";
import { boxState } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { layerTree } from "../store/paths.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { type ImageLayers, layersCopier } from "./copy-places.ts";
import { readSettings } from "./settings.ts";
import { openSettled } from "./settled.ts";
import { whileThere } from "./there.ts";

/**
 * Into a file: whole under its name, or not there. What is no regular file (a fifo, /dev/null) is written to.
 * @throws as `exportBox`
 */
export async function exportToFile(context: Context, name: string, file: string): Promise<readonly string[]> {
  const path = resolve(file);
  const there = statSync(path, { throwIfNoEntry: false });
  if (there === undefined || there.isFile()) {
    await using output = createFile(path);
    const notes = await exportBox(context, name, output.fd);
    await output.commit();
    return notes;
  }
  const fd = attempt(`write ${path}`, () => openSync(path, "w"));
  try {
    return await exportBox(context, name, fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * A box that runs goes on, and may change meanwhile.
 * @param output descriptor that the archive is written to
 * @returns what could not be written as it is, in words
 * @throws DevboxError BOX_NOT_FOUND, COPY_FAILED
 */
export async function exportBox(context: Context, name: string, output: number): Promise<readonly string[]> {
  const { store, facts } = openSettled(context);
  const box = findBox(store, name);
  const { paths, record } = box;
  const place: ImageLayers = {
    facts,
    idMap: defaultIdMap(facts),
    ...treesOf(store, paths, boxState(store, record)),
    // Mounted over in a namespace of the worker's own.
    mountpoint: `${paths.directory}/rootfs`,
  };
  const task: CopyTask = { from: { path: "/", shown: `${name}:/`, follow: true, asInImage: true } };
  const worker = startPlannedCopier(layersCopier(place), task, ["ignore", output]);
  return await whileThere(box, "export", finishCopy(worker, context.signal));
}

/**
 * What the box writes to as a layer above those of its image: nobody writes through this mount, and the box's own may stand
 * beside it.
 */
function treesOf(store: Store, paths: BoxPaths, record: BoxRecord): Pick<ImageLayers, "storeRoot" | "lowers"> {
  if (record.manifestDigest === undefined) return { storeRoot: "/", lowers: [directoryOf(paths, record)] };
  const upper = relative(store.root, `${paths.directory}/upper`);
  return { storeRoot: store.root, lowers: [upper, ...record.chainIds.map(layerTree).reverse()] };
}

/** Of a box on a directory of this machine, relative to its root. */
function directoryOf(paths: BoxPaths, record: BoxRecord): string {
  const rootfs = readSettings(paths)?.rootfs;
  if (rootfs?.kind === "directory") return relative("/", rootfs.path);
  throw new DevboxError("BOX_STATE", {
    step: `export the box ${record.name}`,
    because: `its files are those of ${record.image}, and it is removed at its end`,
    hint: "archive that directory",
  });
}
