/** `devbox cp`: files between a box and this machine, or a tar stream. */
import { closeSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pipe2 } from "../../ffi/libc.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { defaultIdMap } from "../host/id-map.ts";
import { openProcess } from "../host/process-identity.ts";
import {
  type CopyTask,
  type CopyWorker,
  finishCopy,
  finishPair,
  type PackRequest,
  type PlanCopier,
  startHostCopier,
  startPlannedCopier,
  type UnpackRequest,
} from "../image/workers/copy-process.ts";
import type { Stdio } from "../launch/launch.ts";
import { boxState, firstProcess, isAlive } from "../store/box-state.ts";
import { findBox, lockEndedBox } from "../store/boxes.ts";
import type { Lock } from "../store/locks.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { holdsFiles, readBoxConfig } from "./config-file.ts";
import { joinedCopier, mountedCopier } from "./copy-places.ts";
import { readSettings } from "./settings.ts";
import { openSettled } from "./settled.ts";

/** One end of a copy. */
export type CopyEnd =
  | { readonly kind: "box"; readonly box: string; readonly path: string }
  /** Relative to the working directory. */
  | { readonly kind: "host"; readonly path: string }
  /** A tar archive on stdin or stdout. */
  | { readonly kind: "stream" };

export interface CopyOptions {
  /** Keep the owners, by their numbers. */
  readonly archive: boolean;
  /** A symbolic link as the source means its target. */
  readonly follow: boolean;
  readonly cwd: string;
}

/**
 * Copies, with docker's rules (docker-cp(1)).
 * @returns what could not be copied as it is, in words
 * @throws DevboxError USAGE unless one end is a box and the other is none; BOX_NOT_FOUND, COPY_FAILED
 */
export async function copyFiles(
  context: Context,
  from: CopyEnd,
  to: CopyEnd,
  options: CopyOptions,
): Promise<readonly string[]> {
  const end = from.kind === "box" ? from : to;
  const other = from.kind === "box" ? to : from;
  if (end.kind !== "box" || other.kind === "box") {
    const because = end.kind === "box" ? "both are boxes" : "neither is a box";
    throw new DevboxError("USAGE", {
      step: "copy files",
      because,
      hint: "one of the two is BOX:PATH, the other a path of this machine, or - for a tar stream",
    });
  }
  // What nobody watches any more is written down as ended: then it rests.
  const { store, facts } = openSettled(context);
  using place = await openPlace(context, store, facts, end.box);
  const inBox = (task: CopyTask, stdio: readonly [Stdio, Stdio]): CopyWorker =>
    startPlannedCopier(place.copier, task, stdio);
  const pack: PackRequest = { path: packPath(from, options), shown: shownEnd(from), follow: options.follow };
  const unpack = unpackRequest(from, to, options, facts);
  if (from.kind === "stream") return await finishCopy(inBox({ to: unpack }, ["inherit", "ignore"]), context.signal);
  if (to.kind === "stream") return await finishCopy(inBox({ from: pack }, ["ignore", "inherit"]), context.signal);
  return from.kind === "box"
    ? await join(inBox, startHostCopier, pack, unpack, context.signal)
    : await join(startHostCopier, inBox, pack, unpack, context.signal);
}

type Start = (task: CopyTask, stdio: readonly [Stdio, Stdio]) => CopyWorker;

async function join(
  startPacker: Start,
  startUnpacker: Start,
  from: PackRequest,
  to: UnpackRequest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [read, write] = pipe2();
  let packer: CopyWorker;
  let unpacker: CopyWorker;
  try {
    packer = startPacker({ from }, ["ignore", write]);
    unpacker = startUnpacker({ to }, [read, "ignore"]);
  } finally {
    closeSync(read);
    closeSync(write);
  }
  return await finishPair(packer, unpacker, signal);
}

function shownEnd(end: CopyEnd): string {
  if (end.kind === "stream") return "-";
  return end.kind === "box" ? `${end.box}:${end.path}` : end.path;
}

function packPath(from: CopyEnd, { cwd }: CopyOptions): string {
  if (from.kind === "stream") return "/";
  return from.kind === "box" ? cleanPath("/", from.path) : cleanPath(cwd, from.path);
}

/** Absolute and clean, but for the end that says something (docker-cp(1)): `dir/`, `dir/.`, and `.` itself. */
function cleanPath(base: string, path: string): string {
  const clean = resolve(base, path === "" ? "." : path);
  const end = /(?:^|\/)\.$/.test(path) ? "/." : path.endsWith("/") ? "/" : "";
  return clean === "/" ? "/" : `${clean}${end}`;
}

function unpackRequest(
  from: CopyEnd,
  to: CopyEnd,
  { archive, cwd }: CopyOptions,
  { uid }: Pick<HostFacts, "uid">,
): UnpackRequest {
  const intoBox = to.kind === "box";
  return {
    path: to.kind === "stream" ? "/" : cleanPath(intoBox ? "/" : cwd, to.path),
    shown: shownEnd(to),
    into: from.kind === "stream" ? "inside" : "auto",
    // Only root of this machine can give files away; others keep them, as with cp(1).
    owner: archive && (intoBox || uid === 0) ? "archive" : intoBox ? "root" : "caller",
    xattrs: intoBox ? ["user.", "security.capability"] : ["user."],
    // A program of the box that is setuid would be one of the caller's for everybody on this machine.
    specialBits: intoBox,
    topMetadata: false,
  };
}

interface Place extends Disposable {
  readonly copier: PlanCopier;
}

/** How long a box that neither runs nor rests is waited for: another copy, or its start, may take a while. */
const patienceMs = 10_000;
const pauseMs = 20;

async function openPlace({ signal }: Context, store: Store, facts: HostFacts, name: string): Promise<Place> {
  for (const deadline = performance.now() + patienceMs; ; ) {
    const { paths, record } = findBox(store, name);
    const state = boxState(store, record);
    if (isAlive(state)) {
      const running = openRunning(state);
      if (running !== undefined) return running;
    } else {
      const lock = lockEndedBox(paths);
      if (lock !== undefined) return openResting(store, facts, paths, lock);
    }
    if (performance.now() > deadline) {
      throw new DevboxError("BOX_RUNNING", {
        step: `copy files of the box ${name}`,
        because: "it neither runs nor rests: it is being started, cleaned up, or waits to be started again",
        hint: "stop it, or try again in a moment",
      });
    }
    await delay(pauseMs, undefined, { signal });
  }
}

function openResting(store: Store, facts: HostFacts, paths: BoxPaths, lock: Lock): Place {
  try {
    return { copier: restingCopier(store, facts, paths), [Symbol.dispose]: () => lock.remove() };
  } catch (error) {
    lock.remove();
    throw error;
  }
}

/** undefined: it has ended, though its record does not say so yet; or it waits to be started again. */
function openRunning(record: BoxRecord): Place | undefined {
  const init = firstProcess(record);
  const pidfd = init === undefined ? undefined : openProcess(init);
  if (init === undefined || pidfd === undefined) return undefined;
  return { copier: joinedCopier({ pid: init.pid, pidfd }), [Symbol.dispose]: () => closeSync(pidfd) };
}

function restingCopier(store: Store, facts: HostFacts, paths: BoxPaths): PlanCopier {
  const rootfs = readSettings(paths)?.rootfs;
  if (rootfs === undefined) {
    const because = "it belongs to a box that is about to be removed";
    throw new DevboxError("COPY_FAILED", { step: `find the root file system of ${paths.id.slice(0, 12)}`, because });
  }
  return mountedCopier({
    facts,
    idMap: defaultIdMap(facts),
    rootfs,
    storeRoot: store.root,
    mountpoint: rootfs.kind === "directory" ? rootfs.path : `${paths.directory}/rootfs`,
    mounts: readBoxConfig(paths).mounts.filter(holdsFiles),
  });
}
