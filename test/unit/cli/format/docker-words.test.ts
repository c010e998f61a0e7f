/** Times, sizes and states in docker's words. */
import { describe, expect, test } from "bun:test";
import {
  ago,
  binarySize,
  clockTime,
  decimalSize,
  humanDuration,
  portsText,
  shortened,
  statusText,
} from "../../../../src/cli/format/docker-words.ts";
import { parseMoment } from "../../../../src/cli/format/moments.ts";
import { eventAction, eventFields, eventLine } from "../../../../src/cli/format/shapes/event.ts";
import type { BoxRecord } from "../../../../src/store/types.ts";
import { failureOf } from "../../../helpers/failure.ts";

const second = 1000;
const hour = 3600 * second;
const day = 24 * hour;

test.each([
  [0, "Less than a second"],
  [second, "1 second"],
  [59 * second, "59 seconds"],
  [60 * second, "About a minute"],
  [119 * second, "About a minute"],
  [120 * second, "2 minutes"],
  [59.9 * 60 * second, "59 minutes"],
  [hour, "About an hour"],
  [1.6 * hour, "2 hours"],
  [47 * hour, "47 hours"],
  [2 * day, "2 days"],
  [13.9 * day, "13 days"],
  [14 * day, "2 weeks"],
  [60 * day, "2 months"],
  [365 * day, "12 months"],
  [730 * day, "2 years"],
])("%d ms: %s", (milliseconds, text) => expect(humanDuration(milliseconds)).toBe(text));

test("ago, of times to come and of none", () => {
  const now = new Date("2026-01-01T00:00:10Z");
  expect(ago("2026-01-01T00:00:00Z", now)).toBe("10 seconds ago");
  expect(ago("2027-01-01T00:00:00Z", now)).toBe("Less than a second ago");
  expect(ago("yesterday", now)).toBe("unknown");
  expect(clockTime("2026-01-01T01:00:00+01:00")).toBe("2026-01-01 00:00:00 +0000 UTC");
  expect(clockTime(undefined)).toBe("unknown");
});

test("sizes", () => {
  expect([0, 999, 1000, 2_154_000, 27_900_000, 1e12].map((size) => decimalSize(size))).toEqual([
    "0B",
    "999B",
    "1kB",
    "2.15MB",
    "27.9MB",
    "1TB",
  ]);
  expect([0, 1024, 1_610_612, 24 * 2 ** 30].map((size) => binarySize(size))).toEqual([
    "0B",
    "1KiB",
    "1.536MiB",
    "24GiB",
  ]);
});

describe("states", () => {
  const now = new Date("2026-01-01T02:00:00Z");
  const record: BoxRecord = {
    version: 1,
    id: "1",
    name: "web",
    image: "x",
    chainIds: [],
    created: "2026-01-01T00:00:00Z",
    command: [],
    labels: {},
    ephemeral: false,
    status: "running",
    startedAt: "2026-01-01T01:57:00Z",
    finishedAt: "2026-01-01T01:59:50Z",
    exitCode: 3,
  };
  const health = { failingStreak: 0, log: [] };

  test.each<[Partial<BoxRecord>, string]>([
    [{}, "Up 3 minutes"],
    [{ health: { ...health, status: "healthy" } }, "Up 3 minutes (healthy)"],
    [{ health: { ...health, status: "unhealthy" } }, "Up 3 minutes (unhealthy)"],
    [{ health: { ...health, status: "starting" } }, "Up 3 minutes (health: starting)"],
    [{ status: "paused" }, "Up 3 minutes (Paused)"],
    [{ status: "created" }, "Created"],
    [{ status: "exited" }, "Exited (3) 10 seconds ago"],
    [{ status: "restarting" }, "Restarting (3) 10 seconds ago"],
  ])("%j", (changes, text) => expect(statusText({ ...record, ...changes }, now)).toBe(text));
});

test("ports and what is cut off", () => {
  const port = { hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" } as const;
  expect(portsText([port, { ...port, protocol: "udp" }])).toBe("0.0.0.0:8080->80/tcp, 0.0.0.0:8080->80/udp");
  expect(portsText(undefined)).toBe("");
  expect(shortened("12345", 5)).toBe("12345");
  expect(shortened("123456", 5)).toBe("1234…");
});

describe("moments", () => {
  const now = new Date("2026-01-01T00:00:00Z");
  test.each([
    ["10m", now.getTime() - 600_000],
    ["1h30m", now.getTime() - 5_400_000],
    ["0s", now.getTime()],
    ["1700000000", 1_700_000_000_000],
    ["1700000000.5", 1_700_000_000_500],
    ["2025-12-31T00:00:00Z", Date.parse("2025-12-31T00:00:00Z")],
    ["2025-12-31", Date.parse("2025-12-31T00:00:00")],
  ])("%s", (text, moment) => expect(parseMoment("--since", text, now)).toBe(moment));

  test.each(["", "yesterday", "10", "5x", "2025-99-99"].filter((text) => text !== "10"))("%p is none", (text) =>
    expect(failureOf(() => parseMoment("--since", text, now)).step).toContain("--since"),
  );
});

test("events are docker's", () => {
  const event = {
    type: "box",
    action: "remove",
    id: "abc",
    attributes: { name: "web", image: "alpine" },
    time: Date.parse("2026-01-01T00:00:00.25Z"),
  } as const;
  expect(eventLine(event)).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.250000000(Z|[+-]\d\d:\d\d) container destroy abc \(image=alpine, name=web\)\n$/,
  );
  expect(eventAction({ ...event, action: "health_status", attributes: { status: "healthy" } })).toBe(
    "health_status: healthy",
  );
  expect(eventFields(event)).toMatchObject({ Type: "container", Action: "destroy", from: "alpine", time: 1767225600 });
});
