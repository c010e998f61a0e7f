import { expect, test } from "bun:test";
import { afterCheck, chooseHealthCheck, unknownHealth } from "../../../src/box/health-check.ts";
import type { BoxHealth } from "../../../src/store/types.ts";

const second = 1_000_000_000;

test("without a command of the image or the user there is no check", () => {
  expect(chooseHealthCheck({}, undefined)).toBeUndefined();
  expect(chooseHealthCheck({ intervalMs: 5 }, { Test: [] })).toBeUndefined();
  expect(chooseHealthCheck({}, { Test: ["NONE"] })).toBeUndefined();
  expect(chooseHealthCheck({ disabled: true }, { Test: ["CMD", "true"] })).toBeUndefined();
});

test("the image's, with docker's defaults", () => {
  expect(chooseHealthCheck({}, { Test: ["CMD", "curl", "-f", "localhost"], Interval: 5 * second })).toEqual({
    args: ["curl", "-f", "localhost"],
    intervalMs: 5000,
    timeoutMs: 30_000,
    retries: 3,
    startPeriodMs: 0,
    startIntervalMs: 5000,
  });
  expect(chooseHealthCheck({}, { Test: ["CMD-SHELL", "a || b"] })?.args).toEqual(["/bin/sh", "-c", "a || b"]);
});

test("the user's over the image's, one by one", () => {
  const image = { Test: ["CMD", "x"], Retries: 7, Timeout: second };
  expect(chooseHealthCheck({ command: "y", retries: 2 }, image)).toMatchObject({
    args: ["/bin/sh", "-c", "y"],
    retries: 2,
    timeoutMs: 1000,
  });
  expect(chooseHealthCheck({ intervalMs: 10 }, image)).toMatchObject({ args: ["x"], retries: 7, intervalMs: 10 });
});

const startedAt = "2026-01-01T00:00:00.000Z";
const check = { retries: 2, startPeriodMs: 0 };
const result = (exitCode: number, at = startedAt) => ({ start: at, end: at, exitCode, output: "" });
const checks = (before: BoxHealth, codes: readonly number[], given = check, at = startedAt) =>
  codes.reduce((health, code) => afterCheck(health, result(code, at), given, startedAt), before);

test("unhealthy after as many failures in a row as it says, healthy with the first success", () => {
  expect(checks(unknownHealth, [1])).toMatchObject({ status: "starting", failingStreak: 1 });
  expect(checks(unknownHealth, [1, 1])).toMatchObject({ status: "unhealthy", failingStreak: 2 });
  expect(checks(unknownHealth, [1, 1, 0])).toMatchObject({ status: "healthy", failingStreak: 0 });
  expect(checks(unknownHealth, [0, 1])).toMatchObject({ status: "healthy", failingStreak: 1 });
});

test("failures of the start period do not count, until the first success", () => {
  const patient = { retries: 1, startPeriodMs: 1000 };
  expect(checks(unknownHealth, [1, 1], patient)).toMatchObject({ status: "starting", failingStreak: 0 });
  expect(checks(unknownHealth, [0, 1], patient)).toMatchObject({ status: "unhealthy" });
  expect(checks(unknownHealth, [1], patient, "2026-01-01T00:00:01.000Z")).toMatchObject({ status: "unhealthy" });
});

test("the last five results are kept", () => {
  expect(checks(unknownHealth, [1, 2, 3, 4, 5, 6]).log.map(({ exitCode }) => exitCode)).toEqual([2, 3, 4, 5, 6]);
});
