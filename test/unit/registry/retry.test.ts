import { describe, expect, test } from "bun:test";
import { backoffMs, isTransientStatus, parseRetryAfter, pause } from "../../../src/registry/retry.ts";

const policy = { attempts: 5, baseMs: 100, maxMs: 1_000, retryAfterMaxMs: 60_000 };

test("backoff doubles up to its maximum, half of it by chance", () => {
  const longest = [1, 2, 3, 4, 5, 60].map((failures) => backoffMs(policy, failures, () => 1));
  const shortest = [1, 2, 3, 4, 5, 60].map((failures) => backoffMs(policy, failures, () => 0));
  expect(longest).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(shortest).toEqual([50, 100, 200, 400, 500, 500]);
});

describe("parseRetryAfter", () => {
  const now = new Date("2026-11-24T12:00:00Z");
  test.each([
    [undefined, undefined],
    ["3", 3_000],
    [" 0 ", 0],
    ["Tue, 24 Nov 2026 12:01:00 GMT", 60_000],
    ["Tue, 24 Nov 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["-1s", undefined],
  ])("%p: %p", (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});

test("what will not change is not tried again", () => {
  const statuses = [200, 301, 400, 401, 403, 404, 408, 416, 429, 500, 501, 502, 503, 504, 505];
  expect(statuses.filter(isTransientStatus)).toEqual([408, 429, 500, 502, 503, 504]);
});

test("a pause ends with the signal", async () => {
  const controller = new AbortController();
  const paused = pause(3_600_000, controller.signal);
  controller.abort(new Error("enough"));
  await expect(paused).rejects.toThrow("enough");
  await expect(pause(3_600_000, controller.signal)).rejects.toThrow("enough");
});
