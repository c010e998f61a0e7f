/**
 * What is in the upper directory of a box only because something was mounted there when it was started: empty files and
 * directories, and the directories that were made or brought up for them.
 */
import { lstatSync, readdirSync } from "node:fs";
import { errnoName } from "../../core/errors.ts";
import { type ByteString, byteString, byteStringOfText } from "../byte-string.ts";
import { directoryBelow, nameIn, type Opened } from "../copy/at.ts";
import { join, lookup, type MergedView, resolveDirectory, splitPath } from "../settle/merged.ts";
import { compareDirectory } from "./alike.ts";

/**
 * @param mountPoints absolute paths in the box
 * @returns paths relative to `top`
 */
export function findMountTraces(
  top: Opened,
  view: MergedView,
  mountPoints: readonly string[],
): ReadonlySet<ByteString> {
  const traces = new Set<ByteString>();
  const above = new Set<ByteString>();
  for (const mountPoint of mountPoints) {
    const path = resolved(view, byteStringOfText(mountPoint));
    if (path === undefined || path === "") continue;
    above.add(path);
    for (let at = splitPath(path)[0]; at !== ""; at = splitPath(at)[0]) above.add(at);
  }
  // The innermost first: a directory is a trace when all in it are.
  for (const path of [...above].sort((a, b) => b.split("/").length - a.split("/").length)) {
    if (isTrace(top, view, path, traces)) traces.add(path);
  }
  return traces;
}

/** Where the way of the image leads, as the sandbox has gone it. undefined: nowhere. */
function resolved(view: MergedView, path: ByteString): ByteString | undefined {
  const [parent, name] = splitPath(path.replace(/\/+$/, ""));
  const directory = resolveDirectory(view, parent);
  return directory === undefined ? undefined : join(directory.path, name);
}

function isTrace(top: Opened, view: MergedView, path: ByteString, traces: ReadonlySet<ByteString>): boolean {
  const [parent, name] = splitPath(path);
  try {
    using directory = directoryBelow(top.fd, parent);
    const stats = lstatSync(nameIn(directory.fd, name), { bigint: true });
    if (stats.isDirectory()) return isTraceDirectory(directory, view, path, traces);
    return stats.isFile() && stats.size === 0n && !hasFile(view, path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoName(error) ?? "")) return false;
    throw error;
  }
}

/** A symbolic link that led nowhere made room for a file to mount on. */
function hasFile(view: MergedView, path: ByteString): boolean {
  const found = findInView(view, path);
  return found.kind === "directory" || (found.kind === "other" && !found.stats.isSymbolicLink());
}

function findInView(view: MergedView, path: ByteString) {
  const [parent, name] = splitPath(path);
  const directory = resolveDirectory(view, parent);
  return directory === undefined ? ({ kind: "absent" } as const) : lookup(view, directory, name, 0);
}

function isTraceDirectory(
  parent: Opened,
  view: MergedView,
  path: ByteString,
  traces: ReadonlySet<ByteString>,
): boolean {
  const name = splitPath(path)[1];
  using own = directoryBelow(parent.fd, name);
  const names = readdirSync(`/proc/self/fd/${own.fd}`, { encoding: "buffer" }).map(byteString);
  if (!names.every((inner) => traces.has(join(path, inner)))) return false;
  const found = findInView(view, path);
  if (found.kind !== "directory") return found.kind === "absent";
  // Brought up for a mount point in it: like the image's but for its time.
  return names.length > 0 && compareDirectory(view, own, found.directory).isAlike;
}
