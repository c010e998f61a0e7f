import { expect, test } from "bun:test";
import { flagsOf, joinableNamespaces } from "../../../src/sandbox/namespace-flags.ts";

const own = { user: "user:[1]", mount: "mnt:[2]", pid: "pid:[3]", time: "time:[4]" };

test("namespaces are joined where the target's are others", () => {
  expect(joinableNamespaces(own, { ...own, mount: "mnt:[7]", pid: "pid:[8]" })).toEqual(["mount", "pid"]);
  expect(joinableNamespaces(own, own)).toEqual([]);
});

test("a kind that only one of the two has is nothing to join", () => {
  const { time: _, ...older } = own;
  expect(joinableNamespaces(own, older)).toEqual([]);
  expect(joinableNamespaces(older, own)).toEqual(["time"]);
});

test("flags of several kinds are one number", () => {
  expect(flagsOf(["mount", "pid"])).toBe(0x2002_0000);
  expect(flagsOf([])).toBe(0);
});
