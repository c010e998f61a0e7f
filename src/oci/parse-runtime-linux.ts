/** "linux" of config.json, but for its resources and its filter (runtime-spec config-linux.md). */
import {
  expected,
  fail,
  isAbsent,
  type JsonPlace,
  member,
  optional,
  readArray,
  readInteger,
  readMap,
  readOneOf,
  readString,
  readStringMap,
} from "./json.ts";
import { readCpuList } from "./parse-runtime-process.ts";
import { readResources } from "./parse-runtime-resources.ts";
import { readSeccomp } from "./parse-runtime-seccomp.ts";
import { absolutePath, absolutePaths, optionalText, readId, readMatching, readUint32 } from "./parse-runtime-texts.ts";
import type { IdMapping, LinuxConfig, LinuxDevice, MemoryPolicy, Namespace, TimeOffset } from "./runtime.ts";
import { memoryPolicyFlags, memoryPolicyModes, namespaceTypes, rootfsPropagations } from "./runtime-words.ts";

export function readLinux(place: JsonPlace): LinuxConfig {
  const rdt = member(place, "intelRdt");
  if (!isAbsent(rdt)) fail(rdt, "Intel Resource Director Technology is not supported");
  return {
    namespaces: optional(place, "namespaces", readNamespaces).namespaces ?? [],
    ...optional(place, "uidMappings", readIdMappings),
    ...optional(place, "gidMappings", readIdMappings),
    ...optional(place, "devices", (devices) => readArray(devices, readDevice)),
    ...optional(place, "sysctl", readStringMap),
    ...optional(place, "seccomp", readSeccomp),
    ...optional(place, "maskedPaths", absolutePaths),
    ...optional(place, "readonlyPaths", absolutePaths),
    ...optionalText(place, "rootfsPropagation", (word) => readOneOf(word, rootfsPropagations)),
    ...optionalText(place, "cgroupsPath", readCgroupsPath),
    ...optional(place, "resources", readResources),
    ...optional(place, "timeOffsets", readTimeOffsets),
    ...optional(place, "netDevices", readNetDevices),
    ...optionalText(place, "mountLabel", readString),
    ...optional(place, "personality", readPersonality),
    ...optional(place, "memoryPolicy", readMemoryPolicy),
  };
}

function readNamespaces(place: JsonPlace): readonly Namespace[] {
  const namespaces = readArray(place, (each) => ({
    type: readOneOf(member(each, "type"), namespaceTypes),
    ...optionalText(each, "path", absolutePath),
  }));
  namespaces.forEach(({ type }, index) => {
    const first = namespaces.findIndex((namespace) => namespace.type === type);
    if (first < index) fail(place, `[${index}] and [${first}] are both of type ${type}`);
  });
  return namespaces;
}

/** The kernel takes 340 (user_namespaces(7)). */
export function readIdMappings(place: JsonPlace): readonly IdMapping[] {
  return readArray(place, readIdMapping, 340);
}

function readIdMapping(place: JsonPlace): IdMapping {
  const mapping = {
    containerID: readId(member(place, "containerID")),
    hostID: readId(member(place, "hostID")),
    size: readInteger(member(place, "size"), 1, 0xffff_ffff),
  };
  // user_namespaces(7): the last id is 2^32-2.
  const last = Math.max(mapping.containerID, mapping.hostID) + mapping.size - 1;
  return last < 0xffff_ffff ? mapping : fail(member(place, "size"), "it reaches beyond the last id, 4294967294");
}

/** The kernel's dev_t has 12 bits for the major number and 20 for the minor one. */
const [maxMajor, maxMinor] = [0xfff, 0xf_ffff];

function readDevice(place: JsonPlace): LinuxDevice {
  const type = readOneOf(member(place, "type"), ["c", "b", "u", "p"] as const);
  const numbers =
    type === "p"
      ? {}
      : {
          major: readInteger(member(place, "major"), 0, maxMajor),
          minor: readInteger(member(place, "minor"), 0, maxMinor),
        };
  return {
    type,
    path: absolutePath(member(place, "path")),
    ...numbers,
    ...optional(place, "fileMode", readUint32),
    ...optional(place, "uid", readId),
    ...optional(place, "gid", readId),
  };
}

/** cgroups(7) have no names with newlines; `..` would lead out of where containers are. */
function readCgroupsPath(place: JsonPlace): string {
  const path = readString(place);
  if (path.includes("\n")) expected(place, "a path without line breaks");
  return path.split("/").includes("..") ? expected(place, 'a path without ".."') : path;
}

function readTimeOffsets(place: JsonPlace): NonNullable<LinuxConfig["timeOffsets"]> {
  const offsets = readMap(place, readTimeOffset);
  const unknown = Object.keys(offsets).find((clock) => clock !== "monotonic" && clock !== "boottime");
  if (unknown !== undefined) fail(place, `no clock with an offset is named ${unknown}; monotonic and boottime are`);
  return offsets;
}

function readTimeOffset(place: JsonPlace): TimeOffset {
  return {
    ...optional(place, "secs", (secs) => readInteger(secs, Number.MIN_SAFE_INTEGER)),
    ...optional(place, "nanosecs", (nanosecs) => readInteger(nanosecs, 0, 999_999_999)),
  };
}

/** IFNAMSIZ is 16 (netdevice(7)); the kernel refuses "/", ":" and white space in names. */
function readDeviceName(place: JsonPlace): string {
  return readMatching(place, /^(?!\.{1,2}$)[^/:\s]{1,15}$/u, "the name of a network device");
}

function readNetDevices(place: JsonPlace): NonNullable<LinuxConfig["netDevices"]> {
  const devices = readMap(place, (device) => optionalText(device, "name", readDeviceName));
  for (const name of Object.keys(devices)) readDeviceName({ ...member(place, name), value: name });
  return devices;
}

function readPersonality(place: JsonPlace): NonNullable<LinuxConfig["personality"]> {
  const flags = member(place, "flags");
  const { length } = isAbsent(flags) ? [] : readArray(flags, readString);
  if (length > 0) fail(flags, "there are none so far");
  return { domain: readOneOf(member(place, "domain"), ["LINUX", "LINUX32"] as const) };
}

function readMemoryPolicy(place: JsonPlace): MemoryPolicy {
  return {
    mode: readOneOf(member(place, "mode"), memoryPolicyModes),
    ...optionalText(place, "nodes", readCpuList),
    ...optional(place, "flags", (flags) => readArray(flags, (flag) => readOneOf(flag, memoryPolicyFlags))),
  };
}
