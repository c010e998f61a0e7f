/** Resources on version 2 (Documentation/admin-guide/cgroup-v2.rst); conversions as runc and crun make them. Pure. */
import type {
  BlockIoResources,
  CpuResources,
  Integer64,
  LinuxResources,
  MemoryResources,
  ThrottleDevice,
} from "../oci/runtime.ts";
import {
  badResource,
  type ControlWrite,
  cpusetWrites,
  isGiven,
  orMax,
  pidsWrite,
  type ResourcePlan,
  rdmaWrites,
  requirePageSize,
} from "./plan.ts";

/** What is written for `resources`, but devices. Throws BAD_CONFIG for what version 2 does not have. */
export function planV2(resources: LinuxResources): ResourcePlan {
  const { memory = {}, cpu = {}, pids, blockIO = {}, hugepageLimits = [], network = {} } = resources;
  if (isGiven(network.classID) || (network.priorities ?? []).length > 0) {
    throw badResource("linux.resources.network", "version 2 of control groups has neither net_cls nor net_prio");
  }
  const writes = [
    ...memoryWrites(memory),
    ...cpuWrites(cpu),
    ...cpusetWrites(cpu),
    ...(isGiven(pids?.limit) ? [pidsWrite(pids.limit)] : []),
    ...ioWrites(blockIO),
    ...hugepageLimits.flatMap(({ pageSize, limit }, index) => hugetlbWrites(pageSize, limit, index)),
    ...rdmaWrites(resources.rdma),
    ...unifiedWrites(resources.unified),
  ];
  return { writes, ignored: ignoredOf(memory) };
}

/** Memory of the kernel is part of memory.max there, and can have no limit of its own. */
function ignoredOf(memory: MemoryResources): readonly string[] {
  return (["kernel", "kernelTCP"] as const)
    .filter((name) => isGiven(memory[name]))
    .map((name) => `linux.resources.memory.${name}: version 2 of control groups counts it in the limit of memory`);
}

function memoryWrites(memory: MemoryResources): readonly ControlWrite[] {
  const { limit, reservation, swappiness, disableOOMKiller, useHierarchy } = memory;
  const absent = "version 2 of control groups has no such setting";
  if (swappiness !== undefined) throw badResource("linux.resources.memory.swappiness", absent);
  if (disableOOMKiller === true) throw badResource("linux.resources.memory.disableOOMKiller", absent);
  if (useHierarchy === false) {
    throw badResource("linux.resources.memory.useHierarchy", "version 2 of control groups always is hierarchical");
  }
  const write = (file: string, text: string, name: string): ControlWrite => ({
    controller: "memory",
    file,
    text,
    property: `linux.resources.memory.${name}`,
  });
  const swap = swapLimit(memory);
  return [
    // Before the limit: with less memory and the old swap the kernel would begin to swap out.
    ...(swap === undefined ? [] : [{ ...write("memory.swap.max", swap.text, "swap"), optional: swap.optional }]),
    ...(isGiven(limit) ? [write("memory.max", orMax(limit), "limit")] : []),
    ...(isGiven(reservation) ? [write("memory.low", orMax(reservation), "reservation")] : []),
  ];
}

/** config.json limits memory and swap together, version 2 swap alone. Kernels without swap accounting have no such file. */
function swapLimit({
  limit,
  swap,
}: MemoryResources): { readonly text: string; readonly optional: boolean } | undefined {
  const property = "linux.resources.memory.swap";
  const isUnlimited = isGiven(limit) && BigInt(limit) < 0n;
  if (!isGiven(swap)) return isUnlimited ? { text: "max", optional: true } : undefined;
  if (BigInt(swap) < 0n) return { text: "max", optional: true };
  if (isUnlimited) return { text: String(swap), optional: false };
  if (!isGiven(limit))
    throw badResource(property, "it limits memory and swap together, so it needs memory.limit beside it");
  if (BigInt(swap) < BigInt(limit)) throw badResource(property, "memory and swap together are less than memory.limit");
  return { text: String(BigInt(swap) - BigInt(limit)), optional: BigInt(swap) === BigInt(limit) };
}

const cfsPeriod = 100_000;

function cpuWrites({
  shares,
  quota,
  burst,
  period,
  idle,
  realtimeRuntime,
  realtimePeriod,
}: CpuResources): readonly ControlWrite[] {
  if (isGiven(realtimeRuntime) || isGiven(realtimePeriod)) {
    const name = isGiven(realtimeRuntime) ? "realtimeRuntime" : "realtimePeriod";
    throw badResource(`linux.resources.cpu.${name}`, "version 2 of control groups has no realtime scheduling");
  }
  const write = (file: string, text: string, name: string): ControlWrite => ({
    controller: "cpu",
    file,
    text,
    property: `linux.resources.cpu.${name}`,
  });
  const hasMax = isGiven(quota) || isGiven(period);
  const max = isGiven(quota) && BigInt(quota) > 0n ? String(quota) : "max";
  return [
    ...(idle === undefined ? [] : [write("cpu.idle", String(idle), "idle")]),
    // An idle group has the least weight, and the kernel refuses to give it another.
    ...(isGiven(shares) && idle !== 1 ? [write("cpu.weight", String(sharesToWeight(shares)), "shares")] : []),
    // Not more than the quota, which may be about to grow.
    ...(burst === undefined ? [] : [{ ...write("cpu.max.burst", String(burst), "burst"), postponable: true }]),
    ...(hasMax
      ? [write("cpu.max", `${max} ${isGiven(period) ? period : cfsPeriod}`, isGiven(quota) ? "quota" : "period")]
      : []),
  ];
}

/**
 * cpu.shares (2 to 262144, 1024 by default) as cpu.weight (1 to 10000, 100 by default): the curve through these three points
 * that runc has since 1.3.2 and crun since 1.23. The straight line before it made 39 of the default.
 */
export function sharesToWeight(shares: Integer64): number {
  const value = Number(shares);
  if (value <= 2) return 1;
  if (value >= 262_144) return 10_000;
  const log = Math.log2(value);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

function ioWrites(blockIO: BlockIoResources): readonly ControlWrite[] {
  const property = (name: string) => `linux.resources.blockIO.${name}`;
  const noLeaf = "version 2 of control groups has no weight of leaves: their processes compete with no groups";
  if (isGiven(blockIO.leafWeight)) throw badResource(property("leafWeight"), noLeaf);
  const weight = (prefix: string, value: number, name: string): ControlWrite => ({
    controller: "io",
    file: "io.bfq.weight",
    text: `${prefix}${value}`,
    property: property(name),
    instead: { file: "io.weight", text: `${prefix}${blkioToIoWeight(value)}` },
  });
  const weights = (blockIO.weightDevice ?? []).flatMap((device, index) => {
    const name = `weightDevice[${index}]`;
    if (isGiven(device.leafWeight)) throw badResource(property(`${name}.leafWeight`), noLeaf);
    return isGiven(device.weight) ? [weight(`${device.major}:${device.minor} `, device.weight, `${name}.weight`)] : [];
  });
  return [
    ...(isGiven(blockIO.weight) ? [weight("", blockIO.weight, "weight")] : []),
    ...weights,
    ...throttleWrites(blockIO, property),
  ];
}

const throttles = {
  throttleReadBpsDevice: "rbps",
  throttleWriteBpsDevice: "wbps",
  throttleReadIOPSDevice: "riops",
  throttleWriteIOPSDevice: "wiops",
} as const;

/** A rate of 0 takes the limit away, as it does on version 1. */
function throttleWrites(blockIO: BlockIoResources, property: (name: string) => string): readonly ControlWrite[] {
  return Object.entries(throttles).flatMap(([name, key]) => {
    const devices: readonly ThrottleDevice[] = blockIO[name as keyof typeof throttles] ?? [];
    return devices.map(({ major, minor, rate }, index) => ({
      controller: "io",
      file: "io.max",
      text: `${major}:${minor} ${key}=${isGiven(rate) ? rate : "max"}`,
      property: property(`${name}[${index}]`),
    }));
  });
}

/** blkio.weight (10 to 1000) as io.weight (1 to 10000): a straight line, as runc and crun have it. */
export function blkioToIoWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/** What is reserved is limited as well as what is used: spec and runc; kernels before 5.7 do not count reservations. */
function hugetlbWrites(pageSize: string, limit: Integer64, index: number): readonly ControlWrite[] {
  const property = `linux.resources.hugepageLimits[${index}]`;
  requirePageSize(pageSize, `${property}.pageSize`);
  const write = { controller: "hugetlb", text: String(limit), property: `${property}.limit` };
  return [
    { ...write, file: `hugetlb.${pageSize}.max` },
    { ...write, file: `hugetlb.${pageSize}.rsvd.max`, optional: true },
  ];
}

/** Files that move or kill processes, or change what the group is: no settings. */
const actions: ReadonlySet<string> = new Set(["cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.type"]);

/** Each line is a write of its own: files like io.max take one at a time. */
function unifiedWrites(unified: LinuxResources["unified"] = {}): readonly ControlWrite[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const property = `linux.resources.unified[${JSON.stringify(file)}]`;
    // A name with a point between word characters is neither `..` nor a path.
    const [, controller] = /^([a-z_]+)\.[a-zA-Z0-9_.-]+$/.exec(file) ?? [];
    if (controller === undefined) throw badResource(property, "a file of a control group looks like memory.high");
    if (actions.has(file)) throw badResource(property, "this file is an action on processes, not a resource");
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    return lines.map((line) => ({ controller, file, text: line, property }));
  });
}
