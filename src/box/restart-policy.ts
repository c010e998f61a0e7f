/** What a restart policy says when a box has ended (docker's rules: moby restartmanager). Pure. */
import type { RestartPolicy } from "../bundle/options.ts";
import type { BoxRecord } from "../store/types.ts";

/** Between the end of a box and its next start, at first; then twice as long each time. */
const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** Whoever lived as long as this begins with the first delay again. */
const longLifeMs = 10_000;

export interface Ended {
  /** How it ended; `startedAt`, `finishedAt`, `restartCount` and `restartDelayMs` count. */
  readonly record: BoxRecord;
  readonly exitCode: number;
}

/** How long to wait until it is started again; undefined: it stays as it is. */
export function restartDelay(policy: RestartPolicy, { record, exitCode }: Ended): number | undefined {
  if (record.stopped || !isWanted(policy, exitCode, record.restartCount ?? 0)) return undefined;
  const before = livedLong(record) ? undefined : record.restartDelayMs;
  return before === undefined ? firstDelayMs : Math.min(before * 2, longestDelayMs);
}

function isWanted({ name, maximumRetries }: RestartPolicy, exitCode: number, count: number): boolean {
  switch (name) {
    case "no":
      return false;
    case "on-failure":
      return exitCode !== 0 && (maximumRetries === 0 || count < maximumRetries);
    case "always":
    case "unless-stopped":
      return true;
  }
}

function livedLong({ startedAt, finishedAt }: BoxRecord): boolean {
  if (startedAt === undefined || finishedAt === undefined) return false;
  return Date.parse(finishedAt) - Date.parse(startedAt) >= longLifeMs;
}
