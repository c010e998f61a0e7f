import { describe, expect, test } from "bun:test";
import { parseSeccompProfile } from "../../../src/sandbox/seccomp-parse.ts";

const here = { capabilities: ["CAP_CHOWN"], architecture: "x86_64", kernel: "6.1.0-18-amd64" } as const;

function names(rule: object, environment = {}): readonly string[] | undefined {
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["dup"], action: "SCMP_ACT_ALLOW", ...rule }],
  };
  return parseSeccompProfile(profile, { ...here, ...environment }).syscalls?.[0]?.names;
}

describe("conditions of docker's profiles", () => {
  const kept = ["dup"];
  test("capabilities", () => {
    expect(names({ includes: { caps: ["CAP_CHOWN"] } })).toEqual(kept);
    expect(names({ includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } })).toBeUndefined();
    expect(names({ excludes: { caps: ["CAP_KILL"] } })).toEqual(kept);
    expect(names({ excludes: { caps: ["CAP_KILL", "CAP_CHOWN"] } })).toBeUndefined();
  });

  test("architectures", () => {
    expect(names({ includes: { arches: ["amd64", "x32"] } })).toEqual(kept);
    expect(names({ includes: { arches: ["arm64"] } })).toBeUndefined();
    expect(names({ includes: { arches: ["arm64"] } }, { architecture: "aarch64" })).toEqual(kept);
    expect(names({ excludes: { arches: ["amd64"] } })).toBeUndefined();
  });

  test("kernel", () => {
    expect(names({ includes: { minKernel: "4.8" } })).toEqual(kept);
    expect(names({ includes: { minKernel: "6.1" } })).toEqual(kept);
    expect(names({ includes: { minKernel: "6.10" } })).toBeUndefined();
    expect(names({ excludes: { minKernel: "4.8" } })).toBeUndefined();
  });

  test("all parts of includes must hold, any part of excludes is enough", () => {
    expect(names({ includes: { caps: ["CAP_CHOWN"], minKernel: "9.0" } })).toBeUndefined();
    expect(names({ excludes: { caps: ["CAP_KILL"], arches: ["amd64"] } })).toBeUndefined();
    expect(names({ includes: {}, excludes: null })).toEqual(kept);
  });
});

describe("shape", () => {
  test("archMap gives the native architecture and its parts", () => {
    const archMap = [
      { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
      { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
      { architecture: "SCMP_ARCH_RISCV64", subArchitectures: null },
    ];
    expect(parseSeccompProfile({ defaultAction: "SCMP_ACT_LOG", archMap }, here).architectures).toEqual([
      "SCMP_ARCH_X86_64",
      "SCMP_ARCH_X86",
    ]);
  });

  test("the plain form comes back as it was", () => {
    const profile = {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [
        {
          names: ["clone"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 1,
          args: [{ index: 0, value: 4096, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    } as const;
    expect<unknown>(parseSeccompProfile(profile, here)).toEqual(profile);
  });

  test("the older form with one name", () => {
    const old = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ name: "dup", action: "SCMP_ACT_ALLOW", args: null }] };
    expect(parseSeccompProfile(old, here).syscalls).toEqual([{ names: ["dup"], action: "SCMP_ACT_ALLOW" }]);
  });
});

describe("complaints name their place", () => {
  const rule = { names: ["dup"], action: "SCMP_ACT_ALLOW" };
  const argument = { index: 0, value: 1, op: "SCMP_CMP_EQ" };
  const wrong: readonly [string, unknown, string][] = [
    ["no object", [], "expected an object, got a list"],
    ["no action", {}, "defaultAction: expected one of SCMP_ACT_ALLOW"],
    ["unknown action", { defaultAction: "ALLOW" }, 'got "ALLOW"'],
    [
      "both forms of architectures",
      { architectures: ["SCMP_ARCH_X86"], archMap: [] },
      "both architectures and archMap",
    ],
    ["no names", { syscalls: [{ action: "SCMP_ACT_ALLOW" }] }, "syscalls[0].names: expected a list of system calls"],
    ["both forms of names", { syscalls: [{ ...rule, name: "dup2" }] }, "syscalls[0]: it has both name and names"],
    ["operator", { syscalls: [rule, { ...rule, args: [{ ...argument, op: "==" }] }] }, "syscalls[1].args[0].op"],
    [
      "index",
      { syscalls: [{ ...rule, args: [{ ...argument, index: 6 }] }] },
      "args[0].index: expected an integer from 0 to 5",
    ],
    [
      "value",
      { syscalls: [{ ...rule, args: [{ ...argument, value: -1 }] }] },
      "args[0].value: expected an integer from 0 to 18446744073709551615",
    ],
    ["errno", { syscalls: [{ ...rule, errnoRet: 5000 }] }, "syscalls[0].errnoRet"],
    ["kernel", { syscalls: [{ ...rule, includes: { minKernel: "new" } }] }, "syscalls[0].includes.minKernel"],
    [
      "capabilities",
      { syscalls: [{ ...rule, excludes: { caps: "ALL" } }] },
      "syscalls[0].excludes.caps: expected a list",
    ],
  ];
  test.each(wrong)("%s", (_, profile, message) => {
    const whole =
      Array.isArray(profile) || _ === "no action"
        ? profile
        : { defaultAction: "SCMP_ACT_ERRNO", ...(profile as object) };
    expect(() => parseSeccompProfile(whole, here)).toThrow(message);
  });
});
