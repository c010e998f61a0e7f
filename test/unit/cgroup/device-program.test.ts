/** The device program answers as the rules do, applied in order, bit by bit. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { compileDeviceProgram } from "../../../src/cgroup/device-program.ts";
import { accessBits, deviceWrites, type UniformRule, uniformRules } from "../../../src/cgroup/device-rules.ts";
import { DevboxError } from "../../../src/core/errors.ts";
import type { DeviceRule } from "../../../src/oci/runtime.ts";
import { type DeviceRequest, runDeviceProgram } from "../../helpers/ebpf.ts";

/** The specification, as slow as it stands there: every bit by the last rule about it. */
function expected(rules: readonly UniformRule[], request: DeviceRequest): boolean {
  return [...request.access].every((letter) => {
    const bit = accessBits[letter as keyof typeof accessBits];
    const last = rules.findLast(
      (rule) =>
        (rule.type === undefined || rule.type === request.type) &&
        (rule.major === undefined || rule.major === request.major) &&
        (rule.minor === undefined || rule.minor === request.minor) &&
        (rule.access & bit) !== 0,
    );
    return last?.allow ?? false;
  });
}

function ask(rules: readonly DeviceRule[], type: "b" | "c", major: number, minor: number, access: string): boolean {
  return runDeviceProgram(compileDeviceProgram(uniformRules(rules)), { type, major, minor, access });
}

const number = fc.integer({ min: 0, max: 3 });
const access = fc.subarray(["r", "w", "m"], { minLength: 1 }).map((letters) => letters.join(""));
const anyRule: fc.Arbitrary<DeviceRule> = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom("a" as const, "b" as const, "c" as const),
    major: number,
    minor: number,
    access,
  },
  { requiredKeys: ["allow"] },
);
const anyRequest = fc.record({
  type: fc.constantFrom("b" as const, "c" as const),
  major: number,
  minor: number,
  access,
});

test("any rules and any request: the program says what the rules say, and every instruction is reachable", () => {
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 8 }), anyRequest, (rules, request) => {
      const uniform = uniformRules(rules);
      expect(runDeviceProgram(compileDeviceProgram(uniform), request)).toBe(expected(uniform, request));
    }),
    { numRuns: 2000 },
  );
});

/** Documentation/admin-guide/cgroup-v1/devices.rst, as far as our writes use it. */
function askV1(rules: readonly UniformRule[], { type, major, minor, access: wanted }: DeviceRequest): boolean {
  const [first, ...exceptions] = deviceWrites(rules);
  const base = first?.file === "devices.allow";
  return [...wanted].every((letter) => {
    const isException = exceptions.some(({ text }) => {
      const [kind, numbers = "", letters = ""] = text.split(" ");
      const [one, two] = numbers.split(":");
      const fits = (pattern: string | undefined, value: number) => pattern === "*" || pattern === String(value);
      return kind === type && fits(one, major) && fits(two, minor) && letters.includes(letter);
    });
    return base !== isException;
  });
}

test("the writes of version 1 mean the same, or are refused because they cannot", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 5 }), anyRequest, (rules, request) => {
      const uniform = uniformRules(rules);
      try {
        expect(askV1(uniform, request)).toBe(expected(uniform, request));
      } catch (error) {
        if (!(error instanceof DevboxError) || error.code !== "BAD_CONFIG") throw error;
        refused += 1;
      }
    }),
    { numRuns: 2000 },
  );
  expect(refused).toBeLessThan(1500);
});

test("nothing is allowed without rules but the devices that every container has", () => {
  expect(ask([], "c", 1, 3, "rwm")).toBe(true);
  expect(ask([], "c", 136, 7, "rw")).toBe(true);
  expect(ask([], "b", 8, 0, "m")).toBe(true);
  expect(ask([], "b", 8, 0, "r")).toBe(false);
  expect(ask([], "c", 1, 1, "r")).toBe(false);
});

test("default devices cannot be denied", () => {
  expect(ask([{ allow: false, type: "c", major: 1, minor: 3, access: "rwm" }], "c", 1, 3, "rw")).toBe(true);
});

test("a denied bit denies a request for more", () => {
  const rules: DeviceRule[] = [
    { allow: true, type: "b", major: 8, access: "rw" },
    { allow: false, type: "b", major: 8, minor: 1, access: "w" },
  ];
  expect(ask(rules, "b", 8, 1, "r")).toBe(true);
  expect(ask(rules, "b", 8, 1, "rw")).toBe(false);
  expect(ask(rules, "b", 8, 2, "rw")).toBe(true);
});

test("-1 means every number, and a number that no device has matches none", () => {
  expect(ask([{ allow: true, type: "b", major: -1, minor: -1, access: "r" }], "b", 8, 1, "r")).toBe(true);
  expect(ask([{ allow: true, type: "b", major: 2 ** 33, access: "r" }], "b", 0, 1, "r")).toBe(false);
});

test.each(["", "x", "rwx", "r w"])("access %p is refused by its place", (letters) => {
  expect(() => uniformRules([{ allow: true }, { allow: true, access: letters }])).toThrow(
    "linux.resources.devices[1].access",
  );
});

test("version 1: all denied, then the exceptions", () => {
  const writes = deviceWrites(
    uniformRules([
      { allow: false, access: "rwm" },
      { allow: true, type: "b", major: 8, minor: 0, access: "r" },
    ]),
  );
  expect(writes[0]).toMatchObject({ file: "devices.deny", text: "a" });
  expect(writes[1]).toMatchObject({ file: "devices.allow", text: "b 8:0 r", property: "linux.resources.devices[1]" });
  expect(writes.map(({ text }) => text)).toContain("c 136:* rwm");
});

test("version 1: a part of an exception cannot be taken back", () => {
  const rules: DeviceRule[] = [
    { allow: true, type: "b", major: 8, access: "rw" },
    { allow: false, type: "b", major: 8, minor: 1, access: "w" },
  ];
  expect(() => deviceWrites(uniformRules(rules))).toThrow(
    "linux.resources.devices[1]: version 1 of control groups cannot take a part out of b 8:* rw",
  );
});
