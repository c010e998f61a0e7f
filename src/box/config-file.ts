/** `boxes/<id>/config.json` as devbox has written it, for those who look at a box. */
import { readFileSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeConfig, RuntimeMount } from "../oci/runtime.ts";
import type { BoxPaths, Store } from "../store/types.ts";

/** @throws DevboxError STORE_DAMAGED naming the file */
export function readBoxConfig({ config, id }: BoxPaths): RuntimeConfig {
  try {
    // Written whole, in a directory that is closed to others.
    return JSON.parse(readFileSync(config, "utf8")) as RuntimeConfig;
  } catch (cause) {
    const hint = `remove the box: devbox rm --force ${id.slice(0, 12)}`;
    throw new DevboxError("STORE_DAMAGED", { step: `read ${config}`, cause, hint });
  }
}

/** Of what a box mounts: volumes and directories of the host; not what devbox puts in its place at every start. */
export function holdsFiles({ type, destination }: RuntimeMount): boolean {
  return type === "bind" && !/^\/(?:dev|sys|proc)(?:\/|$)|^\/etc\/(?:hosts|hostname|resolv\.conf)$/.test(destination);
}

/** A mount as docker describes it. */
export interface BoxMount {
  readonly type: "bind" | "volume";
  /** Of a volume; one of the box's own has none. */
  readonly name: string | undefined;
  readonly source: string;
  readonly destination: string;
  readonly isWritable: boolean;
  readonly propagation: string;
}

/** The mounts that users ask for. */
export function boxMounts(store: Store, paths: BoxPaths, { mounts }: RuntimeConfig): readonly BoxMount[] {
  return mounts.filter(holdsFiles).map(({ source = "", destination, options = [] }) => {
    const name = volumeOf(store, source);
    return {
      type: name !== undefined || source.startsWith(`${paths.directory}/volumes/`) ? "volume" : "bind",
      name,
      source,
      destination,
      isWritable: !options.includes("ro") && !options.includes("rro"),
      propagation: options.find((option) => /^r?(?:private|shared|slave)$/.test(option)) ?? "rprivate",
    };
  });
}

function volumeOf(store: Store, source: string): string | undefined {
  const start = `${store.root}/volumes/`;
  return source.startsWith(start) && source.endsWith("/_data")
    ? source.slice(start.length, -"/_data".length)
    : undefined;
}

/** As `--network` names it. */
export function boxNetwork({ linux, hooks }: RuntimeConfig): "none" | "host" | "slirp4netns" {
  if (!linux.namespaces.some(({ type }) => type === "network")) return "host";
  return hooks?.createRuntime === undefined ? "none" : "slirp4netns";
}
