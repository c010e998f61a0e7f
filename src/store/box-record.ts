/** `boxes/<id>/state.json`: reading and writing the record of a box. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import {
  expected,
  type JsonDocument,
  type JsonPlace,
  member,
  optional,
  parseJson,
  readArray,
  readBoolean,
  readInteger,
  readString,
  readStringMap,
  readStrings,
} from "../oci/json.ts";
import { readDigest } from "../oci/parse.ts";
import { storeError } from "./atomic-write.ts";
import { type Lock, waitForLock } from "./locks.ts";
import type { BoxPaths, BoxRecord, BoxStatus } from "./types.ts";

const maxRecordBytes = 4 * 1024 * 1024;

/** undefined: the box is not there (any more). @throws DevboxError STORE_DAMAGED naming the file */
export function readBoxRecord(paths: BoxPaths): BoxRecord | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(paths.state);
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw storeError(error, `read ${paths.state}`);
  }
  const document: JsonDocument = { code: "STORE_DAMAGED", step: `read ${paths.state}` };
  try {
    return toRecord(parseJson(bytes, document, maxRecordBytes));
  } catch (error) {
    const hint = `remove the box: rm -rf ${paths.directory}`;
    throw new DevboxError("STORE_DAMAGED", { step: document.step, cause: error, hint });
  }
}

/** Replace the record as a whole. Not fsynced: after a power loss no box runs any more, and its record matters little. */
export function writeBoxRecord(paths: BoxPaths, record: BoxRecord): void {
  const temporary = `${paths.state}.new`;
  try {
    writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
    renameSync(temporary, paths.state);
  } catch (error) {
    throw storeError(error, `write ${paths.state}`);
  }
}

/**
 * Replace the record by what `change` makes of it, with nobody else changing it meanwhile.
 * @returns the new record; undefined: the box is gone
 */
export async function changeBoxRecord(
  context: Context,
  paths: BoxPaths,
  change: (record: BoxRecord) => BoxRecord,
): Promise<BoxRecord | undefined> {
  using lock = await lockBoxRecord(context, paths);
  const record = lock === undefined ? undefined : readBoxRecord(paths);
  if (record === undefined) return undefined;
  const changed = change(record);
  if (changed !== record) writeBoxRecord(paths, changed);
  return changed;
}

/** To be held by whoever reads the record to write it. undefined: the box is gone. */
export async function lockBoxRecord(context: Context, paths: BoxPaths): Promise<Lock | undefined> {
  try {
    return await waitForLock(context, `${paths.directory}/record.lock`, "exclusive");
  } catch (error) {
    // The box may have been removed; with its directory there, something else is wrong.
    if (!existsSync(paths.directory)) return undefined;
    throw error;
  }
}

function toRecord(place: JsonPlace): BoxRecord {
  return {
    version: readVersion(member(place, "version")),
    id: readString(member(place, "id")),
    name: readString(member(place, "name")),
    image: readString(member(place, "image")),
    chainIds: readArray(member(place, "chainIds"), readDigest),
    created: readString(member(place, "created")),
    command: readStrings(member(place, "command")),
    labels: readStringMap(member(place, "labels")),
    ephemeral: readBoolean(member(place, "ephemeral")),
    status: readStatus(member(place, "status")),
    ...optional(place, "manifestDigest", readDigest),
    ...optional(place, "pid", readInteger),
    ...optional(place, "startTime", readInteger),
    ...optional(place, "bootId", readString),
    ...optional(place, "monitorPid", readInteger),
    ...optional(place, "monitorStartTime", readInteger),
    ...optional(place, "startedAt", readString),
    ...optional(place, "finishedAt", readString),
    ...optional(place, "exitCode", readInteger),
    ...optional(place, "error", readString),
    ...optional(place, "oomKilled", readBoolean),
    ...optional(place, "restartCount", readInteger),
    ...optional(place, "restartDelayMs", readInteger),
    ...optional(place, "stopped", readTrue),
    ...optional(place, "volumes", readStrings),
    ...optional(place, "ports", (ports) => readArray(ports, readPort)),
  };
}

function readVersion(place: JsonPlace): 1 {
  return place.value === 1 ? 1 : expected(place, "1, the version that this devbox knows");
}

function readPort(place: JsonPlace): PortMapping {
  const protocol = readString(member(place, "protocol"));
  return {
    hostIp: readString(member(place, "hostIp")),
    hostPort: readInteger(member(place, "hostPort")),
    containerPort: readInteger(member(place, "containerPort")),
    protocol: protocol === "udp" ? "udp" : "tcp",
  };
}

function readTrue(place: JsonPlace): true {
  return place.value === true ? true : expected(place, "true");
}

const statuses: readonly BoxStatus[] = ["created", "running", "paused", "restarting", "exited"];

function readStatus(place: JsonPlace): BoxStatus {
  return statuses.find((status) => status === place.value) ?? expected(place, `one of ${statuses.join(", ")}`);
}
