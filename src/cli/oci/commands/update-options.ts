/** Limits as `update` takes them: options, or a document as under linux.resources in config.json. */
import { readFileSync } from "node:fs";
import { DevboxError } from "../../../core/errors.ts";
import { decodeExactly } from "../../../oci/exact-json.ts";
import { parseJson } from "../../../oci/json.ts";
import { readResources } from "../../../oci/parse-runtime-resources.ts";
import type { LinuxResources } from "../../../oci/runtime.ts";
import type { ArgumentDefs, Values } from "../../command.ts";

export const resourceOptions = {
  resources: {
    type: "string",
    alias: "r",
    valueHint: "FILE",
    description: "All of them, as under linux.resources; -: stdin",
  },
  memory: { type: "string", valueHint: "BYTES", description: "Memory: 512m" },
  "memory-reservation": { type: "string", valueHint: "BYTES", description: "Memory that it keeps under pressure" },
  "memory-swap": { type: "string", valueHint: "BYTES", description: "Memory and swap together; -1: without limit" },
  "kernel-memory": { type: "string", hidden: true, description: "Accepted: kernels have it no more" },
  "kernel-memory-tcp": { type: "string", hidden: true, description: "Accepted: kernels have it no more" },
  "cpu-period": { type: "string", valueHint: "MICROSECONDS", description: "Of the quota" },
  "cpu-quota": {
    type: "string",
    valueHint: "MICROSECONDS",
    description: "Processor time in a period; -1: without limit",
  },
  "cpu-burst": { type: "string", valueHint: "MICROSECONDS", description: "What it may save up" },
  "cpu-share": { type: "string", valueHint: "WEIGHT", description: "Processor time beside others" },
  "cpu-rt-period": { type: "string", valueHint: "MICROSECONDS", description: "Of real-time scheduling" },
  "cpu-rt-runtime": { type: "string", valueHint: "MICROSECONDS", description: "Real-time scheduling in a period" },
  "cpu-idle": { type: "string", valueHint: "0|1", description: "Only when nobody else wants the processor" },
  "cpuset-cpus": { type: "string", valueHint: "LIST", description: "Processors: 0-2,7" },
  "cpuset-mems": { type: "string", valueHint: "LIST", description: "Memory nodes" },
  "blkio-weight": { type: "string", valueHint: "10-1000", description: "Disk time beside others" },
  "pids-limit": { type: "string", valueHint: "N", description: "Processes; -1: without limit" },
  "l3-cache-schema": { type: "string", hidden: true, description: "Not supported" },
  "mem-bw-schema": { type: "string", hidden: true, description: "Not supported" },
} as const satisfies ArgumentDefs;

type ResourceValues = Values<typeof resourceOptions>;

/** @throws DevboxError USAGE, BAD_CONFIG */
export async function readResourceOptions(values: ResourceValues): Promise<LinuxResources> {
  if (values["l3-cache-schema"] !== undefined || values["mem-bw-schema"] !== undefined) {
    throw new DevboxError("USAGE", { step: "Intel RDT is not supported" });
  }
  const { resources } = values;
  if (resources === undefined) return fromOptions(values);
  const bytes = resources === "-" ? await Bun.stdin.bytes() : readBytes(resources);
  const document = { code: "BAD_CONFIG", step: `read ${resources === "-" ? "stdin" : resources}` } as const;
  return readResources(parseJson(bytes, document, maxBytes, decodeExactly));
}

const maxBytes = 1024 * 1024;

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step: `read ${path}`, cause });
  }
}

function fromOptions(values: ResourceValues): LinuxResources {
  const memory = given({
    limit: bytes("memory", values.memory),
    reservation: bytes("memory-reservation", values["memory-reservation"]),
    swap: bytes("memory-swap", values["memory-swap"]),
  });
  const cpu = given({
    period: integer("cpu-period", values["cpu-period"]),
    quota: integer("cpu-quota", values["cpu-quota"]),
    burst: integer("cpu-burst", values["cpu-burst"]),
    shares: integer("cpu-share", values["cpu-share"]),
    realtimePeriod: integer("cpu-rt-period", values["cpu-rt-period"]),
    realtimeRuntime: integer("cpu-rt-runtime", values["cpu-rt-runtime"]),
    idle: integer("cpu-idle", values["cpu-idle"]),
    cpus: values["cpuset-cpus"],
    mems: values["cpuset-mems"],
  });
  const limit = integer("pids-limit", values["pids-limit"]);
  const weight = integer("blkio-weight", values["blkio-weight"]);
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(limit === undefined ? {} : { pids: { limit } }),
    ...(weight === undefined ? {} : { blockIO: { weight } }),
  };
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Only the members that have a value. */
function given<T extends object>(members: T): Given<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Given<T>;
}

function integer(option: string, text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new DevboxError("USAGE", { step: `option --${option} is a number, not ${JSON.stringify(text)}` });
}

const factors: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** As docker's: a number with a unit of 1024, in any case, `b` behind it or not; -1 is no limit. */
function bytes(option: string, text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (text === "-1") return -1;
  const [, number, unit] = /^(\d{1,15})([kmgt]?)i?b?$/.exec(text.toLowerCase()) ?? [];
  const size = Number(number) * (factors[unit ?? ""] ?? Number.NaN);
  if (Number.isSafeInteger(size)) return size;
  throw new DevboxError("USAGE", { step: `option --${option} is a size such as 512m, not ${JSON.stringify(text)}` });
}
