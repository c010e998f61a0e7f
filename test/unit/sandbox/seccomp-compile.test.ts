import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Architecture, type SyscallName, syscallTable } from "../../../ffi/syscalls.ts";
import type { Seccomp, SeccompArgument, SeccompRule } from "../../../src/oci/runtime.ts";
import { compileFilter } from "../../../src/sandbox/seccomp-compile.ts";
import { runFilter } from "../../helpers/bpf.ts";

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const errno = (number: number): number => 0x0005_0000 + number;
const audit = { x86_64: 0xc000_003e, i386: 0x4000_0003, aarch64: 0xc000_00b7 };
const x32 = 0x4000_0000;
const allAbis = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

function verdict(seccomp: Seccomp, number: number, args: readonly bigint[] = [], arch = audit.x86_64): number {
  return runFilter(compileFilter(seccomp, "x86_64").instructions, { number, arch, args });
}

function rule(names: readonly string[], args: readonly SeccompArgument[] = []): SeccompRule {
  return { names, action: "SCMP_ACT_ALLOW", args };
}

const denying: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [rule(["read", "getpid"])] };

describe("tables", () => {
  test("the number decides per architecture", () => {
    const all = { ...denying, architectures: allAbis };
    expect(verdict(all, syscallTable.getpid[0])).toBe(ALLOW);
    expect(verdict(all, syscallTable.getpid[1])).toBe(errno(1));
    expect(verdict(all, syscallTable.getpid[1], [], audit.i386)).toBe(ALLOW);
    expect(verdict(all, syscallTable.getpid[0] + x32)).toBe(ALLOW);
  });

  test("x32 has numbers of its own for calls whose structures hold pointers", () => {
    const readv: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", architectures: allAbis, syscalls: [rule(["readv"])] };
    expect(verdict(readv, x32 + 515)).toBe(ALLOW);
    expect(verdict(readv, x32 + syscallTable.readv[0])).toBe(errno(1));
  });

  test("x32 that is not covered does not exist", () => {
    expect(verdict(denying, syscallTable.getpid[0] + x32)).toBe(errno(38));
  });

  test("an architecture that is not covered ends the process", () => {
    expect(verdict(denying, syscallTable.getpid[1], [], audit.i386)).toBe(KILL_PROCESS);
    expect(verdict({ ...denying, architectures: allAbis }, 172, [], audit.aarch64)).toBe(KILL_PROCESS);
  });

  test("arm64 has one table", () => {
    const { instructions } = compileFilter(
      { ...denying, architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"] },
      "aarch64",
    );
    expect(runFilter(instructions, { number: syscallTable.read[2], arch: audit.aarch64, args: [] })).toBe(ALLOW);
    expect(runFilter(instructions, { number: syscallTable.read[0], arch: audit.x86_64, args: [] })).toBe(KILL_PROCESS);
  });
});

describe("unnamed calls", () => {
  test("refused with EPERM up to the newest named call, ENOSYS above", () => {
    const profile: Seccomp = { defaultAction: "SCMP_ACT_ERRNO", syscalls: [rule(["read", "statx"])] };
    expect(verdict(profile, syscallTable.mount[0])).toBe(errno(1));
    expect(verdict(profile, syscallTable.statx[0] + 1)).toBe(errno(38));
  });

  test("defaultErrnoRet is taken, 0 too", () => {
    expect(verdict({ ...denying, defaultErrnoRet: 13 }, 1)).toBe(errno(13));
    expect(verdict({ ...denying, defaultErrnoRet: 0 }, 1)).toBe(errno(0));
  });

  test("a permissive default reaches calls of the future", () => {
    expect(verdict({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [] }, 9999)).toBe(ALLOW);
    expect(verdict({ ...denying, defaultAction: "SCMP_ACT_LOG" }, 9999)).toBe(0x7ffc_0000);
  });
});

describe("rules", () => {
  const clauses = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
  const dup = syscallTable.dup[0];
  const is = (index: number, value: number | bigint): SeccompArgument => ({ index, op: "SCMP_CMP_EQ", value });

  test("the first that matches decides", () => {
    const profile = clauses({ ...rule(["dup"], [is(0, 7)]), action: "SCMP_ACT_TRAP" }, rule(["dup"]));
    expect(verdict(profile, dup, [7n])).toBe(0x0003_0000);
    expect(verdict(profile, dup, [8n])).toBe(ALLOW);
    expect(verdict(clauses(rule(["dup"]), { ...rule(["dup"]), action: "SCMP_ACT_TRAP" }), dup)).toBe(ALLOW);
  });

  test("conditions hold together, but two of one argument stand alone", () => {
    expect(verdict(clauses(rule(["dup"], [is(0, 1), is(1, 2)])), dup, [1n, 0n])).toBe(errno(1));
    expect(verdict(clauses(rule(["dup"], [is(0, 1), is(1, 2)])), dup, [1n, 2n])).toBe(ALLOW);
    expect(verdict(clauses(rule(["dup"], [is(0, 1), is(0, 2)])), dup, [2n, 0n])).toBe(ALLOW);
  });

  test("names that no table has are passed over", () => {
    expect(verdict(clauses(rule(["dup", "swapcontext", "__proto__", "toString"])), dup)).toBe(ALLOW);
  });

  test("each action has its value", () => {
    const actions = [
      "KILL",
      "KILL_THREAD",
      "KILL_PROCESS",
      "TRAP",
      "ERRNO",
      "NOTIFY",
      "TRACE",
      "LOG",
      "ALLOW",
    ] as const;
    const values = actions.map((action) =>
      verdict(clauses({ names: ["dup"], action: `SCMP_ACT_${action}`, errnoRet: 5 }), dup),
    );
    expect(values).toEqual([
      ...[0, 0, KILL_PROCESS, 0x0003_0000, errno(5)],
      ...[0x7fc0_0000, 0x7ff0_0005, 0x7ffc_0000, ALLOW],
    ]);
  });

  test("2^64-1 is exact", () => {
    const profile = clauses(rule(["dup"], [is(0, 0xffff_ffff_ffff_ffffn)]));
    expect(verdict(profile, dup, [0xffff_ffff_ffff_ffffn])).toBe(ALLOW);
    expect(verdict(profile, dup, [0n])).toBe(errno(1));
  });
});

describe("refused", () => {
  const refused: readonly [string, Seccomp][] = [
    ["an unknown flag", { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_NEW"] }],
    ["a seventh argument", { ...denying, syscalls: [rule(["dup"], [{ index: 6, op: "SCMP_CMP_EQ", value: 0 }])] }],
    ["a negative value", { ...denying, syscalls: [rule(["dup"], [{ index: 0, op: "SCMP_CMP_EQ", value: -1 }])] }],
    [
      "too many rules",
      {
        ...denying,
        syscalls: Array.from({ length: 1500 }, (_, value) => rule(["dup"], [{ index: 0, op: "SCMP_CMP_EQ", value }])),
      },
    ],
  ];
  test.each(refused)("%s", (_, seccomp) => {
    expect(() => compileFilter(seccomp, "x86_64")).toThrow(expect.objectContaining({ code: "BAD_CONFIG" }));
  });

  test("flags are or-ed; without any, SPEC_ALLOW", () => {
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"];
    expect(compileFilter({ ...denying, flags }, "x86_64").flags).toBe(3);
    expect(compileFilter({ ...denying, flags: [] }, "x86_64").flags).toBe(0);
    expect(compileFilter(denying, "x86_64").flags).toBe(4);
  });

  test("a listener has flags of its own, and flags that only it can have", () => {
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
    const asking: Seccomp = { ...denying, syscalls: [{ names: ["dup"], action: "SCMP_ACT_NOTIFY" }] };
    const [TSYNC, NEW_LISTENER, TSYNC_ESRCH, WAIT_KILLABLE_RECV] = [1, 8, 16, 32];
    expect(compileFilter({ ...asking, flags: [] }, "x86_64").flags).toBe(NEW_LISTENER);
    expect(compileFilter({ ...asking, flags }, "x86_64").flags).toBe(
      TSYNC | NEW_LISTENER | TSYNC_ESRCH | WAIT_KILLABLE_RECV,
    );
    expect(compileFilter({ ...denying, flags }, "x86_64").flags).toBe(TSYNC);
  });
});

/** The rules as the compiler's documentation states them, one by one, without any table or tree. */
function evaluate(seccomp: Seccomp, architecture: Architecture, name: SyscallName, args: readonly bigint[]): number {
  for (const each of seccomp.syscalls ?? []) {
    if (each.names.includes(name) && matches(each.args ?? [], args)) return value(each.action, each.errnoRet);
  }
  const column = architecture === "x86_64" ? 0 : 2;
  const named = (seccomp.syscalls ?? []).flatMap(({ names }) =>
    names.map((each) => syscallTable[each as SyscallName][column]),
  );
  const newest = Math.max(-1, ...named);
  const permissive = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(seccomp.defaultAction);
  if (newest >= 0 && syscallTable[name][column] > newest && !permissive) return errno(38);
  return value(seccomp.defaultAction, seccomp.defaultErrnoRet);
}

function value(action: string, errnoRet = 1): number {
  const values: Record<string, number> = {
    SCMP_ACT_ERRNO: errno(errnoRet),
    SCMP_ACT_TRACE: 0x7ff0_0000 + errnoRet,
    SCMP_ACT_KILL: 0,
    SCMP_ACT_ALLOW: ALLOW,
    SCMP_ACT_LOG: 0x7ffc_0000,
  };
  return values[action] ?? -1;
}

function matches(conditions: readonly SeccompArgument[], args: readonly bigint[]): boolean {
  const results = conditions.map((condition) => holds(condition, args[condition.index] ?? 0n));
  const repeated = new Set(conditions.map(({ index }) => index)).size < conditions.length;
  return repeated ? results.some((each) => each) : results.every((each) => each);
}

function holds({ op, value: wanted, valueTwo = 0 }: SeccompArgument, actual: bigint): boolean {
  const number = BigInt(wanted);
  switch (op) {
    case "SCMP_CMP_EQ":
      return actual === number;
    case "SCMP_CMP_NE":
      return actual !== number;
    case "SCMP_CMP_LT":
      return actual < number;
    case "SCMP_CMP_LE":
      return actual <= number;
    case "SCMP_CMP_GE":
      return actual >= number;
    case "SCMP_CMP_GT":
      return actual > number;
    case "SCMP_CMP_MASKED_EQ":
      return (actual & number) === BigInt(valueTwo);
  }
}

/** Values near each other and near the border of the halves, so that comparisons go either way. */
const interesting = [
  0, 1, 2, 7, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x2_0000_0000, 0x1f_ffff_ffff_ffff,
];
const anyValue = fc.constantFrom(...interesting);
const anyName = fc.constantFrom(
  ...(Object.keys(syscallTable) as SyscallName[]).filter(
    (name) => syscallTable[name][0] >= 0 && syscallTable[name][2] >= 0,
  ),
);
const anyArgument: fc.Arbitrary<SeccompArgument> = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  op: fc.constantFrom(
    "SCMP_CMP_NE" as const,
    "SCMP_CMP_LT" as const,
    "SCMP_CMP_LE" as const,
    "SCMP_CMP_EQ" as const,
    "SCMP_CMP_GE" as const,
    "SCMP_CMP_GT" as const,
    "SCMP_CMP_MASKED_EQ" as const,
  ),
  value: anyValue,
  valueTwo: anyValue,
});
const anyAction = fc.constantFrom(
  "SCMP_ACT_ERRNO" as const,
  "SCMP_ACT_TRACE" as const,
  "SCMP_ACT_KILL" as const,
  "SCMP_ACT_ALLOW" as const,
  "SCMP_ACT_LOG" as const,
);
const anyRule: fc.Arbitrary<SeccompRule> = fc.record({
  names: fc.array(anyName, { minLength: 1, maxLength: 60 }),
  action: anyAction,
  errnoRet: fc.integer({ min: 0, max: 4095 }),
  args: fc.array(anyArgument, { maxLength: 4 }),
});

describe("law", () => {
  test("the program answers as the rules do", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("x86_64" as const, "aarch64" as const),
        fc.record({ defaultAction: anyAction, syscalls: fc.array(anyRule, { maxLength: 12 }) }),
        fc.array(fc.tuple(fc.nat(), fc.array(anyValue, { minLength: 6, maxLength: 6 })), {
          minLength: 1,
          maxLength: 30,
        }),
        anyName,
        (architecture, drawn, calls, other) => {
          const seccomp: Seccomp = { ...drawn, architectures: allAbis };
          const { instructions } = compileFilter(seccomp, architecture);
          const named = [...drawn.syscalls.flatMap(({ names }) => names), other] as SyscallName[];
          for (const [choice, args] of calls) {
            const name = named[choice % named.length] ?? other;
            const wide = args.map(BigInt);
            const number = syscallTable[name][architecture === "x86_64" ? 0 : 2];
            const actual = runFilter(instructions, { number, arch: audit[architecture], args: wide });
            expect(actual).toBe(evaluate(seccomp, architecture, name, wide));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
