/** What a control group has used, on both versions in the same units. */
import { readdirSync } from "node:fs";
import { directoryOf } from "./controllers.ts";
import { parseTable, readControl, readNumber, readTable, readWords } from "./files.ts";
import { cgroupPids, unifiedDirectory } from "./processes.ts";
import type { Cgroup, CgroupUsage, IoCounts } from "./types.ts";

/** Reads the counters of the group and of all in it. A group that is gone has used nothing. */
export function readUsage(cgroup: Cgroup): CgroupUsage {
  if (cgroup.layout.version === 2) {
    const directory = cgroup.directories[0] ?? "";
    return {
      cpu: cpuV2(directory),
      memory: memoryV2(directory),
      pids: pidsOf(directory, cgroup),
      io: sumUp(ioV2(readControl(directory, "io.stat") ?? "")),
      hugetlb: hugetlbV2(directory),
    };
  }
  const of = (controller: string) => directoryOf(cgroup, controller) ?? "/nonexistent";
  return {
    cpu: cpuV1(of("cpuacct"), of("cpu")),
    memory: memoryV1(of("memory")),
    pids: pidsOf(of("pids"), cgroup),
    io: sumUp(ioOfV1(of("blkio"))),
    hugetlb: hugetlbV1(of("hugetlb")),
  };
}

function cpuV2(directory: string): CgroupUsage["cpu"] {
  const stat = readTable(directory, "cpu.stat");
  const nanoseconds = (name: string) => (stat[name] ?? 0) * 1000;
  return {
    total: nanoseconds("usage_usec"),
    user: nanoseconds("user_usec"),
    system: nanoseconds("system_usec"),
    throttled: nanoseconds("throttled_usec"),
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    perCpu: undefined,
  };
}

/** cpuacct.usage_user and its kin (4.7) count nanoseconds; cpuacct.stat only ticks. */
function cpuV1(accounting: string, directory: string): CgroupUsage["cpu"] {
  const stat = readTable(directory, "cpu.stat");
  return {
    total: readNumber(accounting, "cpuacct.usage") ?? 0,
    user: readNumber(accounting, "cpuacct.usage_user") ?? 0,
    system: readNumber(accounting, "cpuacct.usage_sys") ?? 0,
    throttled: stat["throttled_time"] ?? 0,
    periods: stat["nr_periods"] ?? 0,
    throttledPeriods: stat["nr_throttled"] ?? 0,
    perCpu: readWords(accounting, "cpuacct.usage_percpu").map(Number),
  };
}

function memoryV2(directory: string): CgroupUsage["memory"] {
  const raw = readTable(directory, "memory.stat");
  const events = readTable(directory, "memory.events");
  return {
    usage: readNumber(directory, "memory.current") ?? 0,
    max: readNumber(directory, "memory.peak"),
    limit: readNumber(directory, "memory.max"),
    cache: raw["inactive_file"] ?? 0,
    swap: readNumber(directory, "memory.swap.current") ?? 0,
    swapLimit: readNumber(directory, "memory.swap.max"),
    kernel: raw["kernel"] ?? 0,
    kernelTCP: undefined,
    failures: events["max"] ?? 0,
    oomKills: events["oom_kill"] ?? 0,
    raw,
  };
}

/** Version 1 has no word for "no limit": it gives the greatest multiple of a page, 2^63 on 64 bits. */
const unlimited = 2 ** 62;

function memoryV1(directory: string): CgroupUsage["memory"] {
  const raw = readTable(directory, "memory.stat");
  const usage = readNumber(directory, "memory.usage_in_bytes") ?? 0;
  const limit = limitV1(directory, "memory.limit_in_bytes");
  const both = readNumber(directory, "memory.memsw.usage_in_bytes");
  const bothLimit = limitV1(directory, "memory.memsw.limit_in_bytes");
  return {
    usage,
    max: readNumber(directory, "memory.max_usage_in_bytes"),
    limit,
    cache: raw["total_inactive_file"] ?? 0,
    swap: both === undefined ? 0 : Math.max(both - usage, 0),
    swapLimit: bothLimit === undefined || limit === undefined ? undefined : bothLimit - limit,
    kernel: readNumber(directory, "memory.kmem.usage_in_bytes") ?? 0,
    kernelTCP: readNumber(directory, "memory.kmem.tcp.usage_in_bytes"),
    // The limit that was hit first has counted: with the same for both it is that of memory and swap together.
    failures: (readNumber(directory, "memory.failcnt") ?? 0) + (readNumber(directory, "memory.memsw.failcnt") ?? 0),
    oomKills: readTable(directory, "memory.oom_control")["oom_kill"] ?? 0,
    raw,
  };
}

function limitV1(directory: string, file: string): number | undefined {
  const limit = readNumber(directory, file);
  return limit === undefined || limit >= unlimited ? undefined : limit;
}

/** Without the pids controller they are counted; threads are left out then. */
function pidsOf(directory: string, cgroup: Cgroup): CgroupUsage["pids"] {
  const current = readNumber(directory, "pids.current") ?? cgroupPids(cgroup).length;
  return { current, limit: readNumber(directory, "pids.max") };
}

type DeviceCounts = CgroupUsage["io"]["devices"][number];

/** Lines of io.stat: `8:0 rbytes=90112 wbytes=0 rios=12 wios=0 dbytes=0 dios=0`. */
export function ioV2(text: string): readonly DeviceCounts[] {
  return text.split("\n").flatMap((line) => {
    const [device = "", ...pairs] = line.split(" ");
    const numbers = deviceNumbers(device);
    if (numbers === undefined) return [];
    const counts = parseTable(pairs.map((pair) => pair.replace("=", " ")).join("\n"));
    return [
      {
        ...numbers,
        readBytes: counts["rbytes"] ?? 0,
        writeBytes: counts["wbytes"] ?? 0,
        reads: counts["rios"] ?? 0,
        writes: counts["wios"] ?? 0,
      },
    ];
  });
}

/** BFQ counts what goes through it, throttling what it throttles: whichever has counted. */
function ioOfV1(directory: string): readonly DeviceCounts[] {
  for (const prefix of ["blkio.bfq", "blkio.throttle"]) {
    const bytes = readControl(directory, `${prefix}.io_service_bytes_recursive`) ?? "";
    const operations = readControl(directory, `${prefix}.io_serviced_recursive`) ?? "";
    const counts = ioV1(bytes, operations);
    if (counts.length > 0) return counts;
  }
  return [];
}

/** Lines of both: `8:0 Read 4096`. */
export function ioV1(bytes: string, operations: string): readonly DeviceCounts[] {
  const devices = new Map<string, { -readonly [K in keyof DeviceCounts]: DeviceCounts[K] }>();
  const fields = { Read: ["readBytes", "reads"], Write: ["writeBytes", "writes"] } as const;
  for (const [index, text] of [bytes, operations].entries()) {
    for (const line of text.split("\n")) {
      const [device = "", word = "", value] = line.split(" ");
      const field = word === "Read" || word === "Write" ? fields[word][index] : undefined;
      const numbers = deviceNumbers(device);
      if (field === undefined || numbers === undefined) continue;
      const counts = devices.get(device) ?? { ...numbers, readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
      counts[field] += Number(value);
      devices.set(device, counts);
    }
  }
  return [...devices.values()];
}

function deviceNumbers(text: string): { readonly major: number; readonly minor: number } | undefined {
  const [, major, minor] = /^(\d+):(\d+)$/.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

function sumUp(devices: readonly DeviceCounts[]): CgroupUsage["io"] {
  const sum = (field: keyof IoCounts) => devices.reduce((total, device) => total + device[field], 0);
  return {
    readBytes: sum("readBytes"),
    writeBytes: sum("writeBytes"),
    reads: sum("reads"),
    writes: sum("writes"),
    devices,
  };
}

function hugetlbV2(directory: string): CgroupUsage["hugetlb"] {
  return byPageSize(directory, "current", (size) => ({
    usage: readNumber(directory, `hugetlb.${size}.current`) ?? 0,
    max: undefined,
    failures: readTable(directory, `hugetlb.${size}.events`)["max"] ?? 0,
  }));
}

function hugetlbV1(directory: string): CgroupUsage["hugetlb"] {
  return byPageSize(directory, "usage_in_bytes", (size) => ({
    usage: readNumber(directory, `hugetlb.${size}.usage_in_bytes`) ?? 0,
    max: readNumber(directory, `hugetlb.${size}.max_usage_in_bytes`),
    failures: readNumber(directory, `hugetlb.${size}.failcnt`) ?? 0,
  }));
}

/** The sizes that the group has files for. */
function byPageSize<T>(directory: string, suffix: string, read: (size: string) => T): Readonly<Record<string, T>> {
  const entries = namesIn(directory).flatMap((name): [string, T][] => {
    const [, size, last] = /^hugetlb\.([^.]+)\.(.+)$/.exec(name) ?? [];
    return size === undefined || last !== suffix ? [] : [[size, read(size)]];
  });
  return Object.fromEntries(entries);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // Gone, or not mounted.
    return [];
  }
}

/** How many processes of the group and of groups in it were killed because memory had run out; undefined: nobody counts. */
export function oomKills(cgroup: Cgroup): number | undefined {
  if (cgroup.layout.version === 2) {
    return readTable(unifiedDirectory(cgroup) ?? "", "memory.events")["oom_kill"];
  }
  return readTable(directoryOf(cgroup, "memory") ?? "", "memory.oom_control")["oom_kill"];
}
