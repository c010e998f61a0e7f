import { expect, test } from "bun:test";
import { restartDelay } from "../../../src/box/restart-policy.ts";
import type { RestartPolicy } from "../../../src/bundle/options.ts";
import type { BoxRecord } from "../../../src/store/types.ts";

const record = (more: Partial<BoxRecord> = {}): BoxRecord => ({
  version: 1,
  id: "0".repeat(64),
  name: "box",
  image: "alpine",
  chainIds: [],
  created: "2026-01-01T00:00:00Z",
  command: [],
  labels: {},
  ephemeral: false,
  status: "exited",
  startedAt: "2026-01-01T00:00:00Z",
  finishedAt: "2026-01-01T00:00:01Z",
  ...more,
});
const policy = (name: RestartPolicy["name"], maximumRetries = 0): RestartPolicy => ({ name, maximumRetries });
const isStarted = (given: RestartPolicy, exitCode: number, more: Partial<BoxRecord> = {}): boolean =>
  restartDelay(given, { record: record(more), exitCode }) !== undefined;

test("no: never", () => {
  expect(isStarted(policy("no"), 0)).toBe(false);
  expect(isStarted(policy("no"), 1)).toBe(false);
});

test("on-failure: after a failure, as often as it says", () => {
  expect(isStarted(policy("on-failure"), 0)).toBe(false);
  expect(isStarted(policy("on-failure"), 1, { restartCount: 1000 })).toBe(true);
  expect(isStarted(policy("on-failure", 2), 1)).toBe(true);
  expect(isStarted(policy("on-failure", 2), 1, { restartCount: 1 })).toBe(true);
  expect(isStarted(policy("on-failure", 2), 1, { restartCount: 2 })).toBe(false);
});

test("always and unless-stopped: unless the user has ended it", () => {
  for (const name of ["always", "unless-stopped"] as const) {
    expect(isStarted(policy(name), 0)).toBe(true);
    expect(isStarted(policy(name), 0, { stopped: true })).toBe(false);
  }
});

test("the delay doubles up to a minute, and begins anew after ten seconds of life", () => {
  const delay = (more: Partial<BoxRecord>) => restartDelay(policy("always"), { record: record(more), exitCode: 0 });
  expect(delay({})).toBe(100);
  expect(delay({ restartDelayMs: 100 })).toBe(200);
  expect(delay({ restartDelayMs: 40_000 })).toBe(60_000);
  expect(delay({ restartDelayMs: 60_000 })).toBe(60_000);
  expect(delay({ restartDelayMs: 6400, finishedAt: "2026-01-01T00:00:09.999Z" })).toBe(12_800);
  expect(delay({ restartDelayMs: 6400, finishedAt: "2026-01-01T00:00:10Z" })).toBe(100);
});
