/** `boxes/<id>/settings.json`: what `start` needs again and `inspect` shows; a box that is kept, or detached, has it. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunOptions } from "../bundle/options.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import { expected, member, parseJson, readObject } from "../oci/json.ts";
import { storeError } from "../store/atomic-write.ts";
import type { BoxPaths } from "../store/types.ts";

export interface BoxSettings {
  readonly version: 1;
  /** As they were given; `update` changes `restart` and `resources`. */
  readonly options: RunOptions;
  /** Digest of the image config; not for a box on a directory of the host. */
  readonly imageId?: Digest;
  readonly rootfs: RootfsPlan;
  /** Of the option or the image, as it was written there; left out: SIGTERM. */
  readonly stopSignal?: string;
  /** Of the options and the image together; left out: there is none. */
  readonly health?: HealthCheck;
  /** Of its last start; left out: it has no control group of its own. */
  readonly cgroup?: Cgroup;
}

/** How the health of a box is found out. */
export interface HealthCheck {
  /** Executed in the box. */
  readonly args: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
}

const maxBytes = 16 * 1024 * 1024;

function settingsPath(paths: BoxPaths): string {
  return join(paths.directory, "settings.json");
}

/** undefined: the box is one that runs in the foreground and is then gone. @throws DevboxError STORE_DAMAGED */
export function readSettings(paths: BoxPaths): BoxSettings | undefined {
  const path = settingsPath(paths);
  const step = `read ${path}`;
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, step);
  }
  try {
    const root = parseJson(bytes, { code: "STORE_DAMAGED", step }, maxBytes);
    const version = member(root, "version");
    if (version.value !== 1) expected(version, "1, the version that this devbox knows");
    readObject(member(root, "options"));
    readObject(member(root, "rootfs"));
    // Written whole by this version, in a directory that is closed to others.
    return root.value as BoxSettings;
  } catch (error) {
    const hint = `remove the box: devbox rm --force ${paths.id.slice(0, 12)}`;
    throw new DevboxError("STORE_DAMAGED", { step, cause: error, hint });
  }
}

/** Replaces them as a whole. */
export function writeSettings(paths: BoxPaths, settings: BoxSettings): void {
  const path = settingsPath(paths);
  try {
    writeFileSync(`${path}.new`, JSON.stringify(settings), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw storeError(error, `write ${path}`);
  }
}
