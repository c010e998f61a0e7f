/** The image config from bytes (image-spec config.md, and what docker adds to it and leaves out of it). */
import { DevboxError } from "../core/errors.ts";
import type { ImageConfig, ImageExecution, ImageHealthcheck, ImageHistory, Manifest } from "./image.ts";
import {
  expected,
  type JsonPlace,
  member,
  optional,
  parseJson,
  readArray,
  readBoolean,
  readInteger,
  readMap,
  readObject,
  readString,
  readStringMap,
  readStrings,
} from "./json.ts";
import { MAX_LAYERS, readDigest } from "./parse.ts";

export const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** @throws BAD_MANIFEST naming the place and the reason. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const root = parseJson(bytes, { code: "BAD_MANIFEST", step: "read image config" }, MAX_CONFIG_BYTES);
  return {
    ...optional(root, "created", readString),
    ...optional(root, "author", readString),
    architecture: readString(member(root, "architecture")),
    os: readString(member(root, "os")),
    ...optional(root, "variant", readString),
    ...optional(root, "os.version", readString),
    ...optional(root, "os.features", readStrings),
    ...optional(root, "config", readExecution),
    rootfs: readRootfs(member(root, "rootfs")),
    ...optional(root, "history", (place) => readArray(place, readHistory)),
  };
}

/** Each layer has its diffID. @throws BAD_MANIFEST where manifest and config count differently. */
export function checkLayerCount(manifest: Manifest, config: ImageConfig): void {
  const [layers, diffIds] = [manifest.layers.length, config.rootfs.diff_ids.length];
  if (layers === diffIds) return;
  throw new DevboxError("BAD_MANIFEST", {
    step: "read image config",
    because: `the manifest has ${layers} layers but rootfs.diff_ids has ${diffIds}`,
  });
}

function readRootfs(place: JsonPlace): ImageConfig["rootfs"] {
  const type = member(place, "type");
  if (type.value !== "layers") expected(type, '"layers"');
  const diffIds = member(place, "diff_ids");
  // An image of no layers is written as null by Go.
  return { type: "layers", diff_ids: diffIds.value === null ? [] : readArray(diffIds, readDigest, MAX_LAYERS) };
}

function readExecution(place: JsonPlace): ImageExecution {
  return {
    ...optional(place, "User", readString),
    ...optional(place, "ExposedPorts", (ports) => readMap(ports, readAnyObject)),
    ...optional(place, "Env", readStrings),
    ...optional(place, "Entrypoint", readCommand),
    ...optional(place, "Cmd", readCommand),
    ...optional(place, "Volumes", (volumes) => readMap(volumes, readAnyObject)),
    ...optional(place, "WorkingDir", readString),
    ...optional(place, "Labels", readStringMap),
    ...optional(place, "StopSignal", readString),
    ...optional(place, "Healthcheck", readHealthcheck),
    ...optional(place, "Shell", readStrings),
    ...optional(place, "OnBuild", readStrings),
  };
}

function readHealthcheck(place: JsonPlace): ImageHealthcheck {
  return {
    ...optional(place, "Test", readStrings),
    ...optional(place, "Interval", (number) => readInteger(number)),
    ...optional(place, "Timeout", (number) => readInteger(number)),
    ...optional(place, "StartPeriod", (number) => readInteger(number)),
    ...optional(place, "StartInterval", (number) => readInteger(number)),
    ...optional(place, "Retries", (number) => readInteger(number)),
  };
}

/** docker reads a bare string as a list of one (its strslice type). */
function readCommand(place: JsonPlace): string[] {
  return typeof place.value === "string" ? [readString(place)] : readStrings(place);
}

/** Members of ExposedPorts and Volumes are sets: the value means nothing, `{}` or null. */
function readAnyObject(place: JsonPlace): object {
  return place.value === null ? {} : readObject(place);
}

function readHistory(place: JsonPlace): ImageHistory {
  return {
    ...optional(place, "created", readString),
    ...optional(place, "author", readString),
    ...optional(place, "created_by", readString),
    ...optional(place, "comment", readString),
    ...optional(place, "empty_layer", readBoolean),
  };
}
