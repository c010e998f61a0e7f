/** Resource limits: docker's `--ulimit NAME=SOFT[:HARD]` and the numbers that prlimit(2) takes. */
import {
  RLIMIT_AS,
  RLIMIT_CORE,
  RLIMIT_CPU,
  RLIMIT_DATA,
  RLIMIT_FSIZE,
  RLIMIT_LOCKS,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RSS,
  RLIMIT_RTPRIO,
  RLIMIT_RTTIME,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { Rlimit } from "../oci/runtime.ts";
import { infinity64, type RlimitType } from "../oci/runtime-words.ts";

/** getrlimit(2). */
const rlimits: Readonly<Record<RlimitType, number>> = {
  RLIMIT_CPU,
  RLIMIT_FSIZE,
  RLIMIT_DATA,
  RLIMIT_STACK,
  RLIMIT_CORE,
  RLIMIT_RSS,
  RLIMIT_NPROC,
  RLIMIT_NOFILE,
  RLIMIT_MEMLOCK,
  RLIMIT_AS,
  RLIMIT_LOCKS,
  RLIMIT_SIGPENDING,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_RTPRIO,
  RLIMIT_RTTIME,
};

export interface Ulimit {
  /** As the user writes it: `nofile`. */
  readonly name: string;
  readonly soft: number | "unlimited";
  readonly hard: number | "unlimited";
}

/** `nofile=1024:2048`, `core=-1`, `nproc=unlimited`; the hard limit is the soft one unless it is given. */
export function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=([^:]+)(?::([^:]+))?$/i.exec(text);
  const [, name = "", softText = "", hardText = softText] = match ?? [];
  if (match === null) throw badUlimit(text, "it is not of the form NAME=SOFT[:HARD]");
  if (!Object.hasOwn(rlimits, typeOf(name))) {
    const names = Object.keys(rlimits)
      .map((type) => type.slice("RLIMIT_".length).toLowerCase())
      .join(", ");
    throw badUlimit(text, `there is no limit named ${name}; there are ${names}`);
  }
  const soft = parseLimit(text, softText);
  const hard = parseLimit(text, hardText);
  if (limitValue(soft) > limitValue(hard)) throw badUlimit(text, "the soft limit is above the hard limit");
  return { name: name.toLowerCase(), soft, hard };
}

function parseLimit(text: string, value: string): number | "unlimited" {
  if (value === "-1" || value === "unlimited") return "unlimited";
  const limit = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(limit)) throw badUlimit(text, `${value} is not a number, -1 or unlimited`);
  return limit;
}

function badUlimit(text: string, because: string): DevboxError {
  return new DevboxError("USAGE", {
    step: `read --ulimit ${text}`,
    because,
    hint: "for example --ulimit nofile=1024:2048",
  });
}

function typeOf(name: string): string {
  return `RLIMIT_${name.toUpperCase()}`;
}

/** For config.json (runtime-spec config.md "rlimits"). */
export function toRlimit(ulimit: Ulimit): Rlimit {
  return { type: typeOf(ulimit.name), soft: ulimit.soft, hard: ulimit.hard };
}

/** The number of `RLIMIT_NOFILE`; BAD_CONFIG for a name that is none. */
export function rlimitNumber(type: string): number {
  const entry = Object.entries(rlimits).find(([name]) => name === type);
  if (entry === undefined) {
    throw new DevboxError("BAD_CONFIG", { step: "read process.rlimits", because: `no limit is named ${type}` });
  }
  return entry[1];
}

/** As struct rlimit64 holds it. */
export function limitValue(limit: Rlimit["soft"]): bigint {
  return limit === "unlimited" ? infinity64 : BigInt(limit);
}

/** struct rlimit64 of prlimit64(2): soft, then hard, 8 bytes each. */
export function rlimitBytes(rlimit: Rlimit): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, limitValue(rlimit.soft), true);
  view.setBigUint64(8, limitValue(rlimit.hard), true);
  return new Uint8Array(view.buffer);
}
