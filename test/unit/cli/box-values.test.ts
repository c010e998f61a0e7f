import { describe, expect, test } from "bun:test";
import { parseArguments } from "../../../src/cli/arguments.ts";
import { longLifeFlags } from "../../../src/cli/box-flags.ts";
import { longLifeOptions } from "../../../src/cli/box-values.ts";
import { defineCommand } from "../../../src/cli/command.ts";
import { parseTimePoint } from "../../../src/cli/time-point.ts";
import { parseDuration } from "../../../src/core/duration.ts";
import { failureOf } from "../../helpers/failure.ts";

const command = defineCommand({
  meta: { name: "run", description: "" },
  args: longLifeFlags,
  examples: [],
  run: async () => 0,
});
function options(line: string) {
  const parsed = parseArguments(command, line.split(" ").filter(Boolean));
  if (parsed.help) throw new Error("help");
  return longLifeOptions(parsed.values);
}

describe("restart policies", () => {
  for (const [text, name, maximumRetries] of [
    ["no", "no", 0],
    ["always", "always", 0],
    ["unless-stopped", "unless-stopped", 0],
    ["on-failure", "on-failure", 0],
    ["on-failure:3", "on-failure", 3],
  ] as const) {
    test(text, () => expect(options(`--restart ${text}`).restart).toEqual({ name, maximumRetries }));
  }
  for (const bad of ["sometimes", "always:3", "on-failure:x", "on-failure:1:2", "on-failure:-1"]) {
    test(`${bad} is none`, () => {
      expect(failureOf(() => options(`--restart ${bad}`))).toMatchObject({ code: "USAGE" });
    });
  }
});

describe("resources", () => {
  const resources = (line: string) => options(line).resources;
  test("none are none", () => expect(resources("")).toEqual({}));
  test("memory brings as much swap", () => {
    expect(resources("--memory 64m")).toEqual({ memory: { limit: 2 ** 26, swap: 2 ** 27 } });
    expect(resources("-m 64m --memory-swap 64m")).toEqual({ memory: { limit: 2 ** 26, swap: 2 ** 26 } });
    expect(resources("-m 64m --memory-swap -1 --memory-reservation 32m --oom-kill-disable")).toEqual({
      memory: { limit: 2 ** 26, swap: -1, reservation: 2 ** 25, disableOOMKiller: true },
    });
  });
  test("processors as a quota", () => {
    expect(resources("--cpus 1.5")).toEqual({ cpu: { quota: 150_000, period: 100_000 } });
    expect(resources("--cpu-period 50000 --cpu-quota 25000 --cpu-shares 512")).toEqual({
      cpu: { shares: 512, period: 50_000, quota: 25_000 },
    });
    expect(resources("--cpuset-cpus 0-1,3 --cpuset-mems 0")).toEqual({ cpu: { cpus: "0-1,3", mems: "0" } });
  });
  test("processes and weights", () => {
    expect(resources("--pids-limit 10 --blkio-weight 100")).toEqual({ pids: { limit: 10 }, blockIO: { weight: 100 } });
    expect(resources("--pids-limit 0")).toEqual({ pids: { limit: -1 } });
  });
  for (const bad of [
    "--memory 1m",
    "--memory x",
    "--memory-swap 64m",
    "-m 64m --memory-swap 32m",
    "--cpus 0",
    "--cpus a",
    "--cpus 1 --cpu-quota 5000",
    "--cpu-period 5",
    "--cpuset-cpus a",
    "--pids-limit -2",
    "--blkio-weight 5",
  ]) {
    test(`${bad} is refused`, () => expect(failureOf(() => options(bad))).toMatchObject({ code: "USAGE" }));
  }
});

describe("health", () => {
  test("times as Go writes them", () => {
    expect(
      options("--health-cmd true --health-interval 1m30s --health-timeout 500ms --health-retries 2").health,
    ).toEqual({
      command: "true",
      intervalMs: 90_000,
      timeoutMs: 500,
      retries: 2,
    });
    expect(options("--no-healthcheck").health).toEqual({ disabled: true });
  });
  for (const bad of ["--health-interval 5", "--health-timeout x", "--no-healthcheck --health-cmd x"]) {
    test(`${bad} is refused`, () => expect(failureOf(() => options(bad))).toMatchObject({ code: "USAGE" }));
  }
});

describe("logs", () => {
  test("a file of 20 MiB, five of them", () => {
    expect(options("").log).toEqual({ driver: "local", maxBytes: 20_971_520, maxFiles: 5 });
  });
  test("as asked for", () => {
    expect(options("--log-driver json-file --log-opt max-size=1k --log-opt max-file=2").log).toEqual({
      driver: "local",
      maxBytes: 1024,
      maxFiles: 2,
    });
    expect(options("--log-driver none --log-opt max-size=-1").log).toMatchObject({ driver: "none", maxBytes: 0 });
  });
  for (const bad of ["--log-driver syslog", "--log-opt tag=x", "--log-opt max-file=0", "--log-opt max-size=x"]) {
    test(`${bad} is refused`, () => expect(failureOf(() => options(bad))).toMatchObject({ code: "USAGE" }));
  }
});

test("durations", () => {
  expect(["0", "1s", "1.5h", "2h45m", "10ms", "1us"].map(parseDuration)).toEqual([
    0, 1000, 5_400_000, 9_900_000, 10, 0.001,
  ]);
  expect(["", "1", "s", "-1s", "1s2"].map(parseDuration)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("points in time", () => {
  const now = new Date("2026-01-01T12:00:00Z");
  const point = (text: string) => parseTimePoint("--since", text, now);
  expect(point("10m")).toBe(now.getTime() - 600_000);
  expect(point("1767268800.5")).toBe(1_767_268_800_500);
  expect(point("2026-01-01T12:00:00Z")).toBe(now.getTime());
  expect(point("2026-01-01T13:00:00.25+01:00")).toBe(now.getTime() + 250);
  expect(point("2026-01-01")).toBe(new Date(2026, 0, 1).getTime());
  expect(failureOf(() => point("yesterday"))).toMatchObject({ code: "USAGE" });
});
