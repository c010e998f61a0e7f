/** config.json as text. */

import type { Integer64, ParsedConfig, Rlimit, RuntimeConfig } from "./runtime.ts";
import { infinity64 } from "./runtime-words.ts";

/** The text of config.json (runtime-spec config.md), valid for any runtime; integers of 64 bits are exact. */
export function formatRuntimeConfig(config: RuntimeConfig | ParsedConfig): string {
  const { process } = config;
  if (process?.rlimits === undefined) return formatExactly(config);
  return formatExactly({ ...config, process: { ...process, rlimits: process.rlimits.map(withNumbers) } });
}

function withNumbers({ type, soft, hard }: Rlimit): Rlimit {
  return { type, soft: toNumber(soft), hard: toNumber(hard) };
}

function toNumber(limit: Rlimit["soft"]): Integer64 {
  return limit === "unlimited" ? infinity64 : limit;
}

/** JSON.stringify, which does ten times the work in the same time, where there are no bigints: it refuses those. */
function formatExactly(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TypeError) return format(value);
    throw error;
  }
}

function format(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(format).join(",")}]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${format(member)}`).join(",")}}`;
}
