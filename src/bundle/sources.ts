/** Sources of bind mounts on the host: made where the user's flag promises it, and told apart for their mount points. */
import { mkdirSync, statSync } from "node:fs";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import type { SourceKind } from "./bundle.ts";
import type { RunOptions } from "./options.ts";

/**
 * What each bind source is. Missing directories are made for `-v` and for what lies in the box's own directory.
 * @throws BAD_CONFIG naming the source that is missing or cannot be made.
 */
export function prepareSources(
  mounts: readonly RuntimeMount[],
  requests: Pick<RunOptions, "mounts" | "devices">,
  boxDirectory: string,
): ReadonlyMap<string, SourceKind> {
  const promised = new Set(
    requests.mounts.flatMap((request) => (request.kind === "bind" && request.createSource ? [request.source] : [])),
  );
  const devices = new Set(requests.devices.map(({ source }) => source));
  const kinds = new Map<string, SourceKind>();
  for (const { type, source, destination } of mounts) {
    if (type !== "bind" || source === undefined) continue;
    const create = promised.has(source) || source.startsWith(`${boxDirectory}/`);
    const kind = kindOf(source, create, `mount ${source} on ${destination}`);
    if (kind === undefined) throw missing(source, destination, devices.has(source));
    kinds.set(source, kind);
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

/** undefined: there is nothing. */
function kindOf(source: string, create: boolean, step: string): SourceKind | undefined {
  try {
    const stat = statSync(source, { throwIfNoEntry: false });
    if (stat !== undefined) return stat.isDirectory() ? "directory" : "file";
    if (create) mkdirSync(source, { recursive: true });
    return create ? "directory" : undefined;
  } catch (cause) {
    const isClosed = ["EACCES", "EPERM", "EROFS"].includes(errnoName(cause) ?? "");
    const hint = isClosed ? "choose a source that you may enter and, where it is missing, make" : "check the path";
    throw new DevboxError("BAD_CONFIG", { step, cause, hint });
  }
}

function missing(source: string, destination: string, isDevice: boolean): DevboxError {
  return new DevboxError("BAD_CONFIG", {
    step: `mount ${source} on ${destination}`,
    because: `${source} does not exist`,
    hint: isDevice ? "see what devices this machine has: ls /dev" : `make it: mkdir -p ${source}`,
  });
}
