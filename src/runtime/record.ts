/** `state.json`: what is known of a container between two commands. Written as a whole or not at all. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { ProcessIdentity } from "../host/process-identity.ts";
import { decodeExactly } from "../oci/exact-json.ts";
import type { IdMap, ParsedConfig } from "../oci/runtime.ts";
import { formatRuntimeConfig } from "../oci/runtime-json.ts";
import type { RestOfPlan } from "./rest-of-plan.ts";
import { type ContainerPaths, requireOwnDirectory } from "./state-directory.ts";

export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  /** Absolute. */
  readonly rootfs: string;
  /** ISO 8601. */
  readonly created: string;
  /** Uid of whoever created it. */
  readonly owner: number;
  /** As it was when the container was created: what becomes of the file later has no effect (runtime-spec "Create"). */
  readonly config: ParsedConfig;
  /** Of the container's own user namespace; left out: it has the host's. */
  readonly idMap?: IdMap;
  /** Left out: it has none. */
  readonly cgroup?: Cgroup;
  readonly phase: "creating" | "created";
  /** Left out until it exists. */
  readonly init?: ProcessIdentity;
  /** What the init process still has to do when it is started: in whose words it reports. */
  readonly rest?: RestOfPlan;
}

/** undefined: there is no such container. @throws DevboxError STATE_UNUSABLE naming the file, or a directory of others */
export function readRecord(paths: ContainerPaths): ContainerRecord | undefined {
  const step = `read ${paths.record}`;
  requireOwnDirectory(paths);
  let text: string;
  try {
    text = readFileSync(paths.record, "utf8");
  } catch (cause) {
    if (errnoName(cause) === "ENOENT") return undefined;
    throw new DevboxError("STATE_UNUSABLE", { step, cause });
  }
  return parseRecord(text, paths, step);
}

/** We have written it; what an older or newer devbox wrote is refused by its version. */
function parseRecord(text: string, { id }: ContainerPaths, step: string): ContainerRecord {
  let record: Partial<ContainerRecord> | null;
  try {
    record = decodeExactly(text) as Partial<ContainerRecord> | null;
  } catch (cause) {
    throw new DevboxError("STATE_UNUSABLE", { step, cause });
  }
  if (record?.version === 1 && record.id === id) return record as ContainerRecord;
  throw new DevboxError("STATE_UNUSABLE", { step, because: `it is no record of the container ${id} of this version` });
}

/** Not fsynced: after a power loss no container runs any more. */
export function writeRecord(paths: ContainerPaths, record: ContainerRecord): void {
  const temporary = `${paths.record}.new`;
  try {
    // The environment in it may hold secrets.
    writeFileSync(temporary, format(record), { mode: 0o600 });
    renameSync(temporary, paths.record);
  } catch (cause) {
    throw new DevboxError("STATE_UNUSABLE", { step: `write ${paths.record}`, cause });
  }
}

/** The configuration is spliced in as text: it has integers that only `formatRuntimeConfig` writes exactly. */
function format({ config, ...others }: ContainerRecord): string {
  return `${JSON.stringify(others).slice(0, -1)},"config":${formatRuntimeConfig(config)}}`;
}
