/** How the health of a box is found out, and what the checks say together (docker's HEALTHCHECK). Pure. */
import type { HealthRequest } from "../bundle/options.ts";
import type { ImageHealthcheck } from "../oci/image.ts";
import type { BoxHealth } from "../store/types.ts";
import type { HealthCheck } from "./settings.ts";

const defaults = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 0, startIntervalMs: 5000 };

const nanosecondsPerMs = 1_000_000;

/** The check of the options and the image together; undefined: there is none. */
export function chooseHealthCheck(
  request: HealthRequest,
  image: ImageHealthcheck | undefined,
): HealthCheck | undefined {
  if (request.disabled) return undefined;
  const args = request.command === undefined ? imageTest(image?.Test ?? []) : shell(request.command);
  if (args === undefined) return undefined;
  const time = (asked: number | undefined, ofImage: number | undefined, otherwise: number): number =>
    // 0 means the default (docker).
    asked || Math.ceil((ofImage ?? 0) / nanosecondsPerMs) || otherwise;
  return {
    args,
    intervalMs: time(request.intervalMs, image?.Interval, defaults.intervalMs),
    timeoutMs: time(request.timeoutMs, image?.Timeout, defaults.timeoutMs),
    retries: request.retries || image?.Retries || defaults.retries,
    startPeriodMs: time(request.startPeriodMs, image?.StartPeriod, defaults.startPeriodMs),
    startIntervalMs: time(request.startIntervalMs, image?.StartInterval, defaults.startIntervalMs),
  };
}

function imageTest([kind, ...words]: readonly string[]): readonly string[] | undefined {
  if (kind === "CMD" && words.length > 0) return words;
  if (kind === "CMD-SHELL" && words[0] !== undefined) return shell(words[0]);
  return undefined;
}

function shell(command: string): readonly string[] {
  return ["/bin/sh", "-c", command];
}

/** Before the first check. */
export const unknownHealth: BoxHealth = { status: "starting", failingStreak: 0, log: [] };

const keptResults = 5;

export type CheckResult = BoxHealth["log"][number];

/** What is known after one more check of a box that was started at `startedAt` (ISO 8601). */
export function afterCheck(
  before: BoxHealth,
  result: CheckResult,
  check: Pick<HealthCheck, "retries" | "startPeriodMs">,
  startedAt: string,
): BoxHealth {
  const log = [...before.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  const isStarting =
    before.status === "starting" && Date.parse(result.start) - Date.parse(startedAt) < check.startPeriodMs;
  // Failures of the start period do not count; the first success ends it.
  if (isStarting) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= check.retries ? "unhealthy" : before.status, failingStreak, log };
}
