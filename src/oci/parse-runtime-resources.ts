/** "linux.resources" of config.json (runtime-spec config-linux.md "Control groups"). */
import {
  expected,
  fail,
  type JsonPlace,
  member,
  optional,
  readArray,
  readBoolean,
  readInteger,
  readInteger64,
  readMap,
  readObject,
  readOneOf,
  readStringMap,
} from "./json.ts";
import { readCpuList } from "./parse-runtime-process.ts";
import { optionalText, readMatching, readUint32 } from "./parse-runtime-texts.ts";
import type {
  BlockIoResources,
  CpuResources,
  DeviceRule,
  Integer64,
  LinuxResources,
  MemoryResources,
  NetworkResources,
  ThrottleDevice,
} from "./runtime.ts";
import { infinity64 } from "./runtime-words.ts";

export function readResources(place: JsonPlace): LinuxResources {
  return {
    ...optional(place, "devices", (devices) => readArray(devices, readDeviceRule)),
    ...optional(place, "memory", readMemory),
    ...optional(place, "cpu", readCpu),
    ...optional(place, "pids", (pids) => ({ limit: readLimit(member(pids, "limit")) })),
    ...optional(place, "blockIO", readBlockIo),
    ...optional(place, "hugepageLimits", (limits) => readArray(limits, readHugepageLimit)),
    ...optional(place, "network", readNetwork),
    ...optional(place, "rdma", readRdma),
    ...optional(place, "unified", readUnified),
  };
}

const maxInt64 = 0x7fff_ffff_ffff_ffffn;

/** -1: unlimited. */
function readLimit(place: JsonPlace): Integer64 {
  return readInteger64(place, -1n, maxInt64);
}

function readUint64(place: JsonPlace): Integer64 {
  return readInteger64(place, 0n, infinity64);
}

function readUint16(place: JsonPlace): number {
  return readInteger(place, 0, 0xffff);
}

function readDeviceRule(place: JsonPlace): DeviceRule {
  return {
    allow: readBoolean(member(place, "allow")),
    ...optionalText(place, "type", (type) => readOneOf(type, ["a", "b", "c"] as const)),
    ...optionalNumber(place, "major"),
    ...optionalNumber(place, "minor"),
    ...optionalText(place, "access", (access) => readMatching(access, /^[rwm]+$/, 'some of "rwm"')),
  };
}

/** -1 is how older engines write "every number". */
function optionalNumber<K extends "major" | "minor">(place: JsonPlace, key: K): { readonly [P in K]?: number } {
  const number = optional(place, key, (inner) => readInteger(inner, -1, 0xffff_ffff));
  return number[key] === -1 ? {} : number;
}

function readMemory(place: JsonPlace): MemoryResources {
  return {
    ...optional(place, "limit", readLimit),
    ...optional(place, "reservation", readLimit),
    ...optional(place, "swap", readLimit),
    ...optional(place, "kernel", readLimit),
    ...optional(place, "kernelTCP", readLimit),
    ...optional(place, "swappiness", (swappiness) => readInteger(swappiness, 0, 100)),
    ...optional(place, "disableOOMKiller", readBoolean),
    ...optional(place, "useHierarchy", readBoolean),
    ...optional(place, "checkBeforeUpdate", readBoolean),
  };
}

function readCpu(place: JsonPlace): CpuResources {
  const microseconds = (inner: JsonPlace): number => readInteger(inner);
  const orUnlimited = (inner: JsonPlace): number => readInteger(inner, -1);
  const cpu: CpuResources = {
    ...optional(place, "shares", (shares) => readInteger(shares)),
    ...optional(place, "quota", orUnlimited),
    ...optional(place, "burst", microseconds),
    ...optional(place, "period", microseconds),
    ...optional(place, "realtimeRuntime", orUnlimited),
    ...optional(place, "realtimePeriod", microseconds),
    ...optionalText(place, "cpus", readCpuList),
    ...optionalText(place, "mems", readCpuList),
    ...optional(place, "idle", (idle) => readInteger(idle, 0, 1)),
  };
  const { quota = 0, burst = 0 } = cpu;
  return quota > 0 && burst > quota ? fail(member(place, "burst"), `it is above the quota, ${quota}`) : cpu;
}

function readBlockIo(place: JsonPlace): BlockIoResources {
  const throttled = (devices: JsonPlace): readonly ThrottleDevice[] => readArray(devices, readThrottleDevice);
  return {
    ...optional(place, "weight", readUint16),
    ...optional(place, "leafWeight", readUint16),
    ...optional(place, "weightDevice", (devices) => readArray(devices, readWeightDevice)),
    ...optional(place, "throttleReadBpsDevice", throttled),
    ...optional(place, "throttleWriteBpsDevice", throttled),
    ...optional(place, "throttleReadIOPSDevice", throttled),
    ...optional(place, "throttleWriteIOPSDevice", throttled),
  };
}

function readWeightDevice(place: JsonPlace): NonNullable<BlockIoResources["weightDevice"]>[number] {
  const weights = { ...optional(place, "weight", readUint16), ...optional(place, "leafWeight", readUint16) };
  if (Object.keys(weights).length === 0) expected(place, "weight or leafWeight or both");
  return { ...readDeviceNumber(place), ...weights };
}

function readThrottleDevice(place: JsonPlace): ThrottleDevice {
  return { ...readDeviceNumber(place), rate: readUint64(member(place, "rate")) };
}

function readDeviceNumber(place: JsonPlace): { readonly major: number; readonly minor: number } {
  return { major: readUint32(member(place, "major")), minor: readUint32(member(place, "minor")) };
}

function readHugepageLimit(place: JsonPlace): NonNullable<LinuxResources["hugepageLimits"]>[number] {
  const pageSize = readMatching(member(place, "pageSize"), /^[1-9]\d*[KMGTP]?B$/, "a size such as 2MB");
  return { pageSize, limit: readUint64(member(place, "limit")) };
}

function readNetwork(place: JsonPlace): NetworkResources {
  const readPriority = (each: JsonPlace) => ({
    name: readMatching(member(each, "name"), /^[^/:\s]{1,15}$/u, "the name of a network device"),
    priority: readUint32(member(each, "priority")),
  });
  return {
    ...optional(place, "classID", readUint32),
    ...optional(place, "priorities", (priorities) => readArray(priorities, readPriority)),
  };
}

function readRdma(place: JsonPlace): NonNullable<LinuxResources["rdma"]> {
  for (const name of Object.keys(readObject(place))) {
    if (!/^[^\s/]+$/u.test(name)) fail(place, `${JSON.stringify(name)} is no name of a device`);
  }
  return readMap(place, (device) => {
    const limits = { ...optional(device, "hcaHandles", readUint32), ...optional(device, "hcaObjects", readUint32) };
    return Object.keys(limits).length > 0 ? limits : expected(device, "hcaHandles or hcaObjects or both");
  });
}

/** Each is the name of one file in the directory of the control group, and nothing else. */
function readUnified(place: JsonPlace): Readonly<Record<string, string>> {
  const files = readStringMap(place);
  const bad = Object.keys(files).find((name) => !/^[\w-]+(?:\.[\w-]+)+$/.test(name));
  return bad === undefined ? files : fail(place, `${JSON.stringify(bad)} is no file of a control group`);
}
