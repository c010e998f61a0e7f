/** Sources of bind mounts on the host: made where the user's flag promises it, and told apart for their mount points. */
import { mkdirSync, statSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import type { SourceKind } from "./bundle.ts";
import type { MountRequest } from "./options.ts";

/**
 * What each bind source is. Missing directories are made for `-v` and for what lies in the box's own directory.
 * @throws BAD_CONFIG naming the source that is missing or cannot be made.
 */
export function prepareSources(
  mounts: readonly RuntimeMount[],
  requests: readonly MountRequest[],
  boxDirectory: string,
): ReadonlyMap<string, SourceKind> {
  const promised = new Set(
    requests.flatMap((request) => (request.kind === "bind" && request.createSource ? [request.source] : [])),
  );
  const kinds = new Map<string, SourceKind>();
  for (const { type, source, destination } of mounts) {
    if (type !== "bind" || source === undefined) continue;
    const create = promised.has(source) || source.startsWith(`${boxDirectory}/`);
    kinds.set(source, kindOf(source, create, `mount ${source} on ${destination}`));
  }
  return kinds;
}

export function isHostFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
  } catch {
    return false; // prepareSources says why it cannot be reached
  }
}

function kindOf(source: string, create: boolean, step: string): SourceKind {
  try {
    const stat = statSync(source, { throwIfNoEntry: false });
    if (stat !== undefined) return stat.isDirectory() ? "directory" : "file";
    if (create) {
      mkdirSync(source, { recursive: true });
      return "directory";
    }
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step, cause });
  }
  throw new DevboxError("BAD_CONFIG", {
    step,
    because: `${source} does not exist`,
    hint: `make it: mkdir -p ${source}`,
  });
}
