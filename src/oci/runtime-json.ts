/** config.json as text. */
import type { Rlimit, RuntimeConfig } from "./runtime.ts";

/**
 * The text of config.json (runtime-spec config.md), valid for any runtime. Resource limits are spliced in as text,
 * since "unlimited" is 2^64-1 there, which no JavaScript number holds.
 */
export function formatRuntimeConfig(config: RuntimeConfig): string {
  const { process, ...outer } = config;
  const { rlimits, ...inner } = process;
  const processText =
    rlimits === undefined
      ? JSON.stringify(inner)
      : append(inner, "rlimits", `[${rlimits.map(formatRlimit).join(",")}]`);
  return append(outer, "process", processText);
}

/** An object, never empty, with one more member whose value is text already. */
function append(object: object, key: string, valueText: string): string {
  return `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(key)}:${valueText}}`;
}

function formatRlimit({ type, soft, hard }: Rlimit): string {
  return `{"type":${JSON.stringify(type)},"soft":${formatLimit(soft)},"hard":${formatLimit(hard)}}`;
}

function formatLimit(limit: number | "unlimited"): string {
  return limit === "unlimited" ? "18446744073709551615" : String(limit);
}
