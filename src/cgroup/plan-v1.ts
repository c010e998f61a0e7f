/** Resources on version 1 (Documentation/admin-guide/cgroup-v1/). Pure. */
import type {
  BlockIoResources,
  CpuResources,
  Integer64,
  LinuxResources,
  MemoryResources,
  NetworkResources,
} from "../oci/runtime.ts";
import {
  badResource,
  type ControlWrite,
  cpusetWrites,
  isGiven,
  pidsWrite,
  type ResourcePlan,
  rdmaWrites,
  requirePageSize,
  requireWord,
} from "./plan.ts";

/** What is written for `resources`, but devices. Throws BAD_CONFIG for what version 1 does not have. */
export function planV1(resources: LinuxResources): ResourcePlan {
  const { memory = {}, cpu = {}, pids, blockIO = {}, hugepageLimits = [], network = {} } = resources;
  const [unified] = Object.keys(resources.unified ?? {});
  if (unified !== undefined) {
    throw badResource(
      `linux.resources.unified[${JSON.stringify(unified)}]`,
      "this machine has version 1 of control groups",
    );
  }
  const writes = [
    ...memoryWrites(memory),
    ...cpuWrites(cpu),
    ...cpusetWrites(cpu),
    ...(isGiven(pids?.limit) ? [pidsWrite(pids.limit)] : []),
    ...blkioWrites(blockIO),
    ...hugepageLimits.flatMap(({ pageSize, limit }, index) => hugetlbWrites(pageSize, limit, index)),
    ...networkWrites(network),
    ...rdmaWrites(resources.rdma),
  ];
  return { writes, ignored: [] };
}

function memoryWrites(memory: MemoryResources): readonly ControlWrite[] {
  const { limit, reservation, swap, kernel, kernelTCP, swappiness, disableOOMKiller, useHierarchy } = memory;
  const write = (file: string, value: Integer64, name: string, more: Partial<ControlWrite> = {}): ControlWrite => ({
    controller: "memory",
    file: `memory.${file}`,
    text: String(value),
    property: `linux.resources.memory.${name}`,
    ...more,
  });
  // Unlimited memory with the old limit of memory and swap together would be refused.
  const both = isGiven(limit) && BigInt(limit) < 0n && !isGiven(swap) ? -1 : swap;
  return [
    ...(useHierarchy === undefined ? [] : [write("use_hierarchy", useHierarchy ? 1 : 0, "useHierarchy")]),
    ...(isGiven(limit) ? [write("limit_in_bytes", limit, "limit", { postponable: true })] : []),
    ...(isGiven(both)
      ? [write("memsw.limit_in_bytes", both, "swap", { postponable: true, optional: BigInt(both) < 0n })]
      : []),
    ...(isGiven(reservation) ? [write("soft_limit_in_bytes", reservation, "reservation")] : []),
    ...(isGiven(kernel) ? [write("kmem.limit_in_bytes", kernel, "kernel")] : []),
    ...(isGiven(kernelTCP) ? [write("kmem.tcp.limit_in_bytes", kernelTCP, "kernelTCP")] : []),
    ...(swappiness === undefined ? [] : [write("swappiness", swappiness, "swappiness")]),
    ...(disableOOMKiller === undefined ? [] : [write("oom_control", disableOOMKiller ? 1 : 0, "disableOOMKiller")]),
  ];
}

function cpuWrites({
  shares,
  quota,
  burst,
  period,
  idle,
  realtimeRuntime,
  realtimePeriod,
}: CpuResources): readonly ControlWrite[] {
  const write = (file: string, value: Integer64, name: string, more: Partial<ControlWrite> = {}): ControlWrite => ({
    controller: "cpu",
    file: `cpu.${file}`,
    text: String(value),
    property: `linux.resources.cpu.${name}`,
    ...more,
  });
  const later = { postponable: true };
  return [
    ...(idle === undefined ? [] : [write("idle", idle, "idle")]),
    ...(isGiven(shares) && idle !== 1 ? [write("shares", shares, "shares")] : []),
    // A shorter period with the old quota, or a longer burst, may be more than the group above has.
    ...(isGiven(period) ? [write("cfs_period_us", period, "period", later)] : []),
    ...(burst === undefined ? [] : [write("cfs_burst_us", burst, "burst", later)]),
    ...(isGiven(quota) ? [write("cfs_quota_us", quota, "quota", later)] : []),
    ...(isGiven(realtimePeriod) ? [write("rt_period_us", realtimePeriod, "realtimePeriod", later)] : []),
    ...(isGiven(realtimeRuntime) ? [write("rt_runtime_us", realtimeRuntime, "realtimeRuntime", later)] : []),
  ];
}

/** Weights are files of CFQ, or since 5.0 of BFQ; leaves have one with CFQ only. */
function blkioWrites(blockIO: BlockIoResources): readonly ControlWrite[] {
  const write = (file: string, text: string, name: string): ControlWrite => ({
    controller: "blkio",
    file: `blkio.${file}`,
    text,
    property: `linux.resources.blockIO.${name}`,
  });
  const orBfq = (file: string, text: string, name: string): ControlWrite => ({
    ...write(file, text, name),
    instead: { file: `blkio.bfq.${file}`, text },
  });
  const throttle = (name: keyof BlockIoResources & `throttle${string}`, file: string) =>
    (blockIO[name] ?? []).map(({ major, minor, rate }, index) =>
      write(`throttle.${file}`, `${major}:${minor} ${rate}`, `${name}[${index}]`),
    );
  const devices = (blockIO.weightDevice ?? []).flatMap(({ major, minor, weight, leafWeight }, index) => [
    ...(isGiven(weight)
      ? [orBfq("weight_device", `${major}:${minor} ${weight}`, `weightDevice[${index}].weight`)]
      : []),
    ...(isGiven(leafWeight)
      ? [write("leaf_weight_device", `${major}:${minor} ${leafWeight}`, `weightDevice[${index}].leafWeight`)]
      : []),
  ]);
  return [
    ...(isGiven(blockIO.weight) ? [orBfq("weight", String(blockIO.weight), "weight")] : []),
    ...(isGiven(blockIO.leafWeight) ? [write("leaf_weight", String(blockIO.leafWeight), "leafWeight")] : []),
    ...devices,
    ...throttle("throttleReadBpsDevice", "read_bps_device"),
    ...throttle("throttleWriteBpsDevice", "write_bps_device"),
    ...throttle("throttleReadIOPSDevice", "read_iops_device"),
    ...throttle("throttleWriteIOPSDevice", "write_iops_device"),
  ];
}

/** What is reserved is limited as well as what is used: spec and runc; kernels before 5.7 do not count reservations. */
function hugetlbWrites(pageSize: string, limit: Integer64, index: number): readonly ControlWrite[] {
  const property = `linux.resources.hugepageLimits[${index}]`;
  requirePageSize(pageSize, `${property}.pageSize`);
  const write = { controller: "hugetlb", text: String(limit), property: `${property}.limit` };
  return [
    { ...write, file: `hugetlb.${pageSize}.limit_in_bytes` },
    { ...write, file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`, optional: true },
  ];
}

function networkWrites({ classID, priorities = [] }: NetworkResources): readonly ControlWrite[] {
  const classWrite = { controller: "net_cls", file: "net_cls.classid", property: "linux.resources.network.classID" };
  return [
    ...(isGiven(classID) ? [{ ...classWrite, text: String(classID) }] : []),
    ...priorities.map(({ name, priority }, index) => {
      const property = `linux.resources.network.priorities[${index}]`;
      requireWord(name, `${property}.name`);
      return { controller: "net_prio", file: "net_prio.ifpriomap", text: `${name} ${priority}`, property };
    }),
  ];
}
