/**
 * The files of an artifact into a directory: all of them, each whole and verified, or none.
 *
 * They come into a directory of ours beside (same file system), and get their names when all are there. A name is resolved
 * below the directory by openat2(2) alone: a symbolic link that lies there cannot lead out of it.
 */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { O_DIRECTORY, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS } from "../../../ffi/constants.ts";
import { openat2 } from "../../../ffi/libc.ts";
import type { Context } from "../../core/context.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import type { ArtifactFile } from "../../oci/artifact.ts";
import { shortDigest } from "../../oci/digest.ts";
import { attempt, writeAll } from "../destinations/write-file.ts";
import { createSemaphore } from "../workers/semaphore.ts";
import type { Artifact } from "./fetch.ts";

export interface PlaceOptions {
  /** Absolute; made if need be. */
  readonly directory: string;
  /** true: files of these names are replaced. */
  readonly force: boolean;
}

/** As many as pull has of layers: more connections get no more bytes. */
const atOnce = 4;

/** @throws DevboxError COPY_FAILED where a name is taken or leads out; what reading the artifact throws. Nothing has a name then. */
export async function placeFiles(context: Context, artifact: Artifact, options: PlaceOptions): Promise<void> {
  const { directory, force } = options;
  const step = `write the files of ${shortDigest(artifact.descriptor.digest)} to ${directory}`;
  await using held = new AsyncDisposableStack();
  const [root, staging] = attempt(step, () => {
    mkdirSync(directory, { recursive: true });
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    held.defer(() => closeSync(fd));
    const beside = mkdtempSync(join(directory, ".devbox-"));
    held.defer(() => rmSync(beside, { recursive: true, force: true }));
    return [fd, beside] as const;
  });
  // What is in the way is found before anything is fetched, and again when the name is given.
  if (!force) for (const { path } of artifact.files) attempt(step, () => refuseTaken(root, path));
  await fetchAll(context, artifact, staging, step);
  attempt(step, () => {
    for (const [index, { path }] of artifact.files.entries()) giveName(root, join(staging, `${index}`), path, force);
  });
}

/** @throws the first failure; it ends the others, whose own are of no interest */
async function fetchAll(context: Context, artifact: Artifact, staging: string, step: string): Promise<void> {
  const slots = createSemaphore(atOnce);
  let first: { readonly error: unknown } | undefined;
  const fetching = artifact.files.map((file, index) =>
    slots
      .run(() => fetchFile(context, artifact, file, join(staging, `${index}`), step))
      .catch((error: unknown) => {
        first ??= { error };
        artifact.cancel(error);
      }),
  );
  await Promise.all(fetching);
  if (first !== undefined) throw first.error;
}

async function fetchFile(
  context: Context,
  artifact: Artifact,
  { path, descriptor }: ArtifactFile,
  to: string,
  step: string,
): Promise<void> {
  const task = context.progress.task(path, descriptor.size);
  task.phase("downloading");
  const fd = attempt(step, () => openSync(to, "wx", 0o666));
  try {
    let done = 0;
    for await (const chunk of artifact.read(descriptor)) {
      await writeAll(fd, chunk, step);
      done += chunk.byteLength;
      task.update(done);
    }
  } finally {
    closeSync(fd);
  }
  task.done("done");
}

function refuseTaken(root: number, path: string): void {
  const { parent, name } = split(path);
  using directory = openBelow(root, parent);
  if (directory === undefined) return;
  if (lstatSync(directory.at(name), { throwIfNoEntry: false }) !== undefined) throw taken(path);
}

function giveName(root: number, from: string, path: string, force: boolean): void {
  for (const parent of parentsOf(path)) {
    using there = openBelow(root, parent);
    if (there !== undefined) continue;
    const { parent: above, name } = split(parent);
    using directory = openBelow(root, above);
    if (directory !== undefined) mkdirSync(directory.at(name));
  }
  const { parent, name } = split(path);
  using directory = openBelow(root, parent);
  if (directory === undefined) throw new Error(`${parent} is gone`);
  const to = directory.at(name);
  try {
    // rename(2) would replace what has come there meanwhile; link(2) does not.
    if (force) renameSync(from, to);
    else linkSync(from, to);
  } catch (error) {
    throw errnoName(error) === "EEXIST" ? taken(path) : error;
  }
}

interface Directory extends Disposable {
  /** A name in it, for calls that do not follow it. */
  at(name: string): string;
}

/** undefined: there is none. Throws SyscallError: no directory, or out of the root (EXDEV). */
function openBelow(root: number, path: string): Directory | undefined {
  try {
    const how = { flags: O_DIRECTORY, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    const fd = openat2(root, path === "" ? "." : path, how);
    return { at: (name) => `/proc/self/fd/${fd}/${name}`, [Symbol.dispose]: () => closeSync(fd) };
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** `a`, `a/b` of `a/b/c`. */
function parentsOf(path: string): readonly string[] {
  return [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf("/");
  return { parent: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

function taken(path: string): DevboxError {
  return new DevboxError("COPY_FAILED", {
    step: `write ${path}`,
    because: "a file of this name is there",
    hint: "replace what is there with --force, or write into another directory with --output DIR",
  });
}
