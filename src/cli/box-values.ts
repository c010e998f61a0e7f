/** Values of the flags of `box-flags.ts`: text → plain data, or a USAGE error that names the flag. */
import { parseDetachKeys } from "../box/detach-keys.ts";
import type { HealthRequest, LogOptions, RestartPolicy, RunOptions } from "../bundle/options.ts";
import { parseDuration } from "../core/duration.ts";
import type { DevboxError } from "../core/errors.ts";
import type { CpuResources, LinuxResources, MemoryResources } from "../oci/runtime.ts";
import type { longLifeFlags, resourceFlags } from "./box-flags.ts";
import type { Values } from "./command.ts";
import { badFlag, parsePairs, parseSize } from "./run-values.ts";

type ResourceValues = Values<typeof resourceFlags>;
type LongLifeValues = Values<typeof longLifeFlags>;

/** @throws DevboxError USAGE */
export function longLifeOptions(
  values: LongLifeValues,
): Pick<RunOptions, "detachKeys" | "health" | "log" | "resources" | "restart"> {
  const detachKeys = values["detach-keys"];
  // Read where it is used; a slip is told at once.
  if (detachKeys !== undefined) parseDetachKeys(detachKeys);
  return {
    restart: parseRestart(values.restart ?? "no"),
    health: healthRequest(values),
    resources: resourceOptions(values),
    log: logOptions(values),
    detachKeys,
  };
}

/** `no`, `on-failure`, `on-failure:3`, `always`, `unless-stopped`. */
export function parseRestart(text: string): RestartPolicy {
  const [name = "", times, surplus] = text.split(":");
  const isCount = times === undefined || (name === "on-failure" && /^\d{1,9}$/.test(times));
  if (!isCount || surplus !== undefined) throw badRestart(text);
  switch (name) {
    case "":
    case "no":
      return { name: "no", maximumRetries: 0 };
    case "on-failure":
      return { name, maximumRetries: Number(times ?? 0) };
    case "always":
    case "unless-stopped":
      return { name, maximumRetries: 0 };
    default:
      throw badRestart(text);
  }
}

function badRestart(text: string): DevboxError {
  return badFlag("--restart", text, "there are no, on-failure[:TIMES], always and unless-stopped", "on-failure:3");
}

/** What is asked for of control groups; docker's rules for what is left out. */
export function resourceOptions(values: ResourceValues): LinuxResources {
  const [memory, cpu] = [memoryOptions(values), cpuOptions(values)];
  const pids = parseInteger("--pids-limit", values["pids-limit"], -1);
  const weight = parseInteger("--blkio-weight", values["blkio-weight"], 10, 1000);
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    // 0 and -1 mean unlimited to docker.
    ...(pids === undefined ? {} : { pids: { limit: pids <= 0 ? -1 : pids } }),
    ...(weight === undefined ? {} : { blockIO: { weight } }),
  };
}

/** docker's: less is not enough for a program to begin. */
const leastMemory = 6 * 1024 * 1024;

function memoryOptions(values: ResourceValues): MemoryResources {
  const { memory, "memory-swap": together, "memory-reservation": reservation } = values;
  const limit = memory === undefined ? undefined : parseSize("--memory", memory);
  if (limit !== undefined && limit < leastMemory) throw badFlag("--memory", memory ?? "", "it is less than 6m", "512m");
  const swap = swapLimit(together, limit);
  if (swap !== undefined && swap !== -1 && limit !== undefined && swap < limit) {
    throw badFlag("--memory-swap", together ?? "", "it is memory and swap together, so not less than --memory", "1g");
  }
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(reservation === undefined ? {} : { reservation: parseSize("--memory-reservation", reservation) }),
    ...(values["oom-kill-disable"] ? { disableOOMKiller: true } : {}),
  };
}

/** As much swap as memory unless told otherwise (docker run, "--memory-swap details"). */
function swapLimit(text: string | undefined, memory: number | undefined): number | undefined {
  if (text === "-1") return -1;
  if (text !== undefined && text !== "0") {
    if (memory !== undefined) return parseSize("--memory-swap", text);
    throw badFlag("--memory-swap", text, "it needs --memory beside it", `${text} --memory ${text}`);
  }
  return memory === undefined ? undefined : 2 * memory;
}

/** Microseconds: docker's and the kernel's default. */
const cpuPeriod = 100_000;

function cpuOptions(values: ResourceValues): CpuResources {
  const shares = parseInteger("--cpu-shares", values["cpu-shares"], 0);
  const [cpus, mems] = [
    checkList("--cpuset-cpus", values["cpuset-cpus"]),
    checkList("--cpuset-mems", values["cpuset-mems"]),
  ];
  return {
    // 0 means the default to docker.
    ...(shares === undefined || shares === 0 ? {} : { shares }),
    ...bandwidth(values),
    ...(cpus === undefined ? {} : { cpus }),
    ...(mems === undefined ? {} : { mems }),
  };
}

function bandwidth(values: ResourceValues): Pick<CpuResources, "period" | "quota"> {
  const { cpus } = values;
  const period = parseInteger("--cpu-period", values["cpu-period"], 1000, 1_000_000);
  const quota = parseInteger("--cpu-quota", values["cpu-quota"], -1);
  if (cpus === undefined)
    return { ...(period === undefined ? {} : { period }), ...(quota === undefined ? {} : { quota }) };
  if (period !== undefined || quota !== undefined) {
    throw badFlag("--cpus", cpus, "it says the same as --cpu-period and --cpu-quota; give one of them", "1.5");
  }
  const number = /^\d+(\.\d+)?$/.test(cpus) ? Number(cpus) : Number.NaN;
  // A quota below a millisecond is refused by the kernel (sched_cfs_quota_us).
  if (!(number >= 0.01)) throw badFlag("--cpus", cpus, "it is not a number of processors, 0.01 at least", "1.5");
  return { quota: Math.round(number * cpuPeriod), period: cpuPeriod };
}

function checkList(flag: string, text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw badFlag(flag, text, "it is not a list of numbers and ranges", "0-2,4");
}

function healthRequest(values: LongLifeValues): HealthRequest {
  const { "health-cmd": command } = values;
  if (values["no-healthcheck"]) {
    if (command === undefined) return { disabled: true };
    throw badFlag("--health-cmd", command, "--no-healthcheck contradicts it", "'curl -f http://localhost'");
  }
  const time = (flag: "interval" | "timeout" | "start-period" | "start-interval") =>
    parseTime(`--health-${flag}`, values[`health-${flag}`]);
  const [intervalMs, timeoutMs] = [time("interval"), time("timeout")];
  const [startPeriodMs, startIntervalMs] = [time("start-period"), time("start-interval")];
  const retries = parseInteger("--health-retries", values["health-retries"], 0);
  return {
    ...(command === undefined || command === "" ? {} : { command }),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retries === undefined ? {} : { retries }),
    ...(startPeriodMs === undefined ? {} : { startPeriodMs }),
    ...(startIntervalMs === undefined ? {} : { startIntervalMs }),
  };
}

function parseTime(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  // docker's least: a check is a process of its own.
  if (milliseconds === undefined || (milliseconds > 0 && milliseconds < 1)) {
    throw badFlag(flag, text, "it is not a time of a millisecond or more", "30s");
  }
  return Math.round(milliseconds);
}

/** docker's names for a file on this machine. */
const localDrivers = ["local", "json-file"];

const defaultMaxBytes = 20 * 1024 * 1024;
const defaultMaxFiles = 5;

function logOptions(values: LongLifeValues): LogOptions {
  const driver = values["log-driver"] ?? "local";
  if (driver !== "none" && !localDrivers.includes(driver)) {
    throw badFlag("--log-driver", driver, "there are local and none", "local");
  }
  const given = parsePairs("--log-opt", values["log-opt"], "max-size=10m");
  for (const name of Object.keys(given)) {
    if (name === "max-size" || name === "max-file") continue;
    throw badFlag("--log-opt", `${name}=${given[name]}`, "there are max-size and max-file", "max-size=10m");
  }
  const { "max-size": size, "max-file": files } = given;
  return {
    driver: driver === "none" ? "none" : "local",
    maxBytes: parseMaxSize(size),
    maxFiles: parseInteger("--log-opt max-file", files, 1, 99) ?? defaultMaxFiles,
  };
}

/** A line and what the log writes beside it must fit. */
const leastMaxBytes = 1024;

function parseMaxSize(text: string | undefined): number {
  if (text === undefined) return defaultMaxBytes;
  if (text === "-1") return 0;
  const bytes = parseSize("--log-opt max-size", text);
  if (bytes < leastMaxBytes) throw badFlag("--log-opt max-size", text, "it is less than 1k", "10m");
  return bytes;
}

function parseInteger(flag: string, text: string | undefined, min: number, max = Number.MAX_SAFE_INTEGER) {
  if (text === undefined || text === "") return undefined;
  const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
  const range = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`;
  throw badFlag(flag, text, `it is not a number ${range}`, String(Math.max(min, 1)));
}
