import { describe, expect, test } from "bun:test";
import { parseUlimit, rlimitBytes, rlimitNumber, toRlimit } from "../../../src/sandbox/rlimits.ts";

describe("--ulimit", () => {
  test.each([
    ["nofile=1024:2048", { name: "nofile", soft: 1024, hard: 2048 }],
    ["nofile=1024", { name: "nofile", soft: 1024, hard: 1024 }],
    ["NPROC=3", { name: "nproc", soft: 3, hard: 3 }],
    ["core=0:-1", { name: "core", soft: 0, hard: "unlimited" }],
    ["memlock=unlimited", { name: "memlock", soft: "unlimited", hard: "unlimited" }],
  ] as const)("%s", (text, expected) => expect<unknown>(parseUlimit(text)).toEqual(expected));

  test.each([
    ["nofile", "NAME=SOFT"],
    ["nofile=", "NAME=SOFT"],
    ["nofile=1:2:3", "NAME=SOFT"],
    ["nofile=-2", "not a number"],
    ["nofile=1.5", "not a number"],
    ["nofile=99999999999999999999", "not a number"],
    ["nofile=2:1", "above the hard"],
    ["nofile=-1:5", "above the hard"],
    ["files=1", "there is no limit named files"],
    ["tostring=1", "there is no limit named"],
  ])("%s is refused", (text, message) => {
    expect(() => parseUlimit(text)).toThrow(message);
    expect(() => parseUlimit(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});

test("config.json and prlimit(2)", () => {
  const rlimit = toRlimit({ name: "nofile", soft: 1024, hard: "unlimited" });
  expect(rlimit).toEqual({ type: "RLIMIT_NOFILE", soft: 1024, hard: "unlimited" });
  expect(rlimitNumber(rlimit.type)).toBe(7);
  expect(Buffer.from(rlimitBytes(rlimit)).toString("hex")).toBe("0004000000000000ffffffffffffffff");
  expect(() => rlimitNumber("RLIMIT_FILES")).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
});
