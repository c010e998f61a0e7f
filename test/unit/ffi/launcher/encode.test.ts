import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { encodePlan } from "../../../../ffi/launcher/encode.ts";
import { wire } from "../../../../ffi/launcher/format.ts";
import type { Argument, Data, LaunchPlan, Op, SyscallOp } from "../../../../ffi/launcher/wire.ts";
import { type SyscallName, syscallNumber, syscallTable } from "../../../../ffi/syscalls.ts";
import { type DecodedArgument, type DecodedPlan, decodePlan, namedFd } from "../../../helpers/decode-plan.ts";

const text = (value: string): Data => ({ bytes: new TextEncoder().encode(`${value}\0`) });
const planOf = (ops: readonly Op[], fds: readonly string[] = []): LaunchPlan => ({ title: "test", ops, fds });
const getpid = (extra: Partial<SyscallOp> = {}): Op => ({
  kind: "syscall",
  label: "ask",
  call: "getpid",
  args: [],
  ...extra,
});
const encode = (plan: LaunchPlan): DecodedPlan => decodePlan(encodePlan(plan, "x86_64"));

const fdNames = ["lock", "go", "console"];
const names = (Object.keys(syscallTable) as SyscallName[]).filter(
  (name) => syscallNumber(name, "x86_64") !== undefined,
);
const leaf: fc.Arbitrary<Data> = fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes }));
const block: fc.Arbitrary<Data> = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 4 }).map((items) => ({
    bytes: new Uint8Array(items.length * 8 + 8),
    pointers: items.map((to, i) => ({ offset: i * 8, to })),
  })),
);
const argument: fc.Arbitrary<Argument> = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  block.map((data) => ({ data })),
  fc.nat(wire.MAX_SLOTS - 1).map((slot) => ({ slot })),
  fc.nat(wire.MAX_SLOTS - 1).map((slot) => ({ slot, negated: true as const })),
  fc.constantFrom(...fdNames).map((fd) => ({ fd })),
);
const syscall: fc.Arbitrary<SyscallOp> = fc.record({
  kind: fc.constant("syscall"),
  label: fc.string(),
  call: fc.constantFrom(...names),
  args: fc.array(argument, { maxLength: wire.MAX_ARGS }),
  save: fc.nat(wire.MAX_SLOTS - 1),
  tolerate: fc.array(fc.integer({ min: 1, max: 133 }), { maxLength: wire.MAX_TOLERATED }),
});

/** What stands at an argument's address, pointers followed, must be what the plan says. */
function expectData(decoded: DecodedPlan, offset: number, data: Data): void {
  const pointers = data.pointers ?? [];
  const bytes = decoded.data.slice(offset, offset + data.bytes.length);
  expect(bytes).toEqual(data.bytes.slice());
  for (const pointer of pointers) {
    const relocation = decoded.relocations.find(({ at }) => at === offset + pointer.offset);
    expectData(decoded, relocation?.to ?? -1, pointer.to);
  }
}

function expectArgument(decoded: DecodedPlan, actual: DecodedArgument | undefined, value: Argument): void {
  if (typeof value !== "object") {
    expect(actual).toEqual({ tag: "immediate", value: BigInt.asUintN(64, BigInt(value)) });
  } else if ("data" in value) {
    expect(actual?.tag).toBe("data");
    expect(Number(actual?.value) % 8).toBe(0);
    expectData(decoded, Number(actual?.value), value.data);
  } else if ("slot" in value)
    expect(actual).toEqual({ tag: value.negated ? "negated slot" : "slot", value: BigInt(value.slot) });
  else expect(actual).toEqual({ tag: "immediate", value: namedFd(fdNames.indexOf(value.fd)) });
}

describe("encodePlan", () => {
  test("decoding gives the system calls back, with all data and pointers", () => {
    fc.assert(
      fc.property(fc.array(syscall, { maxLength: 12 }), (ops) => {
        const decoded = encode(planOf(ops, fdNames));
        expect(decoded.ops.length).toBe(ops.length);
        for (const [i, op] of ops.entries()) {
          const actual = decoded.ops[i];
          expect(actual?.number).toBe(syscallNumber(op.call, "x86_64"));
          expect(actual?.origin).toBe(i);
          expect(actual?.save).toBe(op.save);
          expect(actual?.tolerated).toEqual(op.tolerate ?? []);
          for (const [k, value] of op.args.entries()) expectArgument(decoded, actual?.args[k], value);
        }
      }),
    );
  });

  test("marks vanish, jumps point behind them, and origins count them", () => {
    const decoded = encode(
      planOf([
        getpid({ onZero: "end", onError: "middle" }),
        { kind: "mark", name: "middle" },
        getpid(),
        { kind: "jump", to: "middle" },
        { kind: "mark", name: "end" },
      ]),
    );
    expect(decoded.ops.map(({ origin }) => origin)).toEqual([0, 2, 3]);
    expect(decoded.ops[0]).toMatchObject({ onZero: 3, onError: 1 });
    expect(decoded.ops[2]).toMatchObject({ kind: wire.OP_JUMP, onZero: 1 });
  });

  test("a plan that continues another counts on, and has its descriptors", () => {
    const before = planOf([getpid(), { kind: "mark", name: "here" }, { kind: "continue" }], fdNames);
    const plan = planOf([getpid({ args: [{ fd: "console" }] })], ["console"]);
    const [op] = decodePlan(encodePlan(plan, "x86_64", before)).ops;
    expect(op?.origin).toBe(3);
    expect(op?.args[0]?.value).toBe(namedFd(2));
    expect(() => encodePlan(planOf([getpid({ args: [{ fd: "other" }] })], ["other"]), "x86_64", before)).toThrow(
      "no descriptor named other",
    );
  });

  test("a block that is referred to twice is there once", () => {
    const shared = text("twice");
    const decoded = encode(planOf([getpid({ args: [{ data: shared }, { data: shared }] })]));
    expect(decoded.ops[0]?.args[0]).toEqual(decoded.ops[0]?.args[1] as DecodedArgument);
    expect(decoded.data.length).toBe(8);
  });

  test("close is not repeated after EINTR, other calls are", () => {
    const decoded = encode(planOf([getpid({ call: "close", args: [5] }), getpid()]));
    expect(decoded.ops.map(({ flags }) => flags)).toEqual([wire.FLAG_NO_RETRY, 0]);
  });

  test("a result that takes a descriptor's place is marked", () => {
    const decoded = encode(planOf([getpid({ save: 3, replace: true }), getpid({ save: 3 })]));
    expect(decoded.ops.map(({ flags }) => flags)).toEqual([wire.FLAG_REPLACE, 0]);
  });

  test("the other operations keep their fields", () => {
    const buffer: Data = { bytes: new Uint8Array(32) };
    const decoded = encode(
      planOf([
        { kind: "format", slot: 3, into: buffer, offset: 7 },
        { kind: "store", slot: 4, into: buffer, offset: 28, width: 4 },
        { kind: "load", slot: 5, from: buffer, offset: 24, width: 8 },
        { kind: "report", event: "ready", slot: 6 },
        { kind: "expectSuccess", label: "helper", status: buffer },
        { kind: "fail", label: "no", errno: 13 },
        { kind: "fail", label: "no", errno: { slot: 9 } },
        { kind: "supervise", slot: 1, tied: true },
        { kind: "supervise", slot: 1, tied: false },
        { kind: "init", slot: 2 },
        { kind: "exit", code: 42 },
        { kind: "continue" },
      ]),
    );
    const brief = decoded.ops.map(({ kind, flags, number, save, args }) => [
      ...[kind, flags, number, save],
      ...args.slice(0, 2).map(({ tag, value }) => `${tag} ${value}`),
    ]);
    expect(brief).toEqual([
      [wire.OP_FORMAT, 0, 0, undefined, "slot 3", "data 7"],
      [wire.OP_STORE, 0, 4, undefined, "slot 4", "data 28"],
      [wire.OP_LOAD, 0, 8, 5, "immediate 0", "data 24"],
      [wire.OP_REPORT, 0, wire.EVENT_READY, undefined, "slot 6", "immediate 0"],
      [wire.OP_EXPECT_SUCCESS, 0, 0, undefined, "data 0", "immediate 0"],
      [wire.OP_FAIL, 0, 13, undefined, "immediate 0", "immediate 0"],
      [wire.OP_FAIL, 0, 0, undefined, "slot 9", "immediate 0"],
      [wire.OP_SUPERVISE, wire.FLAG_TIED, 0, undefined, "slot 1", "immediate 0"],
      [wire.OP_SUPERVISE, 0, 0, undefined, "slot 1", "immediate 0"],
      [wire.OP_INIT, 0, 0, undefined, "slot 2", "immediate 0"],
      [wire.OP_EXIT, 0, 42, undefined, "immediate 0", "immediate 0"],
      [wire.OP_CONTINUE, 0, 0, undefined, "immediate 0", "immediate 0"],
    ]);
  });

  const small: Data = { bytes: new Uint8Array(3) };
  const bad: readonly (readonly [string, readonly Op[], RegExp])[] = [
    ["an unknown mark", [getpid({ onZero: "nowhere" })], /operation 0 \(ask\): no mark is named nowhere/],
    ["a jump to an unknown mark", [{ kind: "jump", to: "nowhere" }], /no mark is named nowhere/],
    [
      "a mark twice",
      [
        { kind: "mark", name: "a" },
        { kind: "mark", name: "a" },
      ],
      /operation 1 .*twice/,
    ],
    ["a slot to save in that is not there", [getpid({ save: 128 })], /no slot 128/],
    ["a negative slot", [getpid({ args: [{ slot: -1 }] })], /no slot -1/],
    ["a slot that is no integer", [getpid({ args: [{ slot: 1.5 }] })], /no slot 1.5/],
    ["an unknown descriptor", [getpid({ args: [{ fd: "lock" }] })], /no descriptor named lock/],
    ["seven arguments", [getpid({ args: [1, 2, 3, 4, 5, 6, 7] })], /7 arguments are too many/],
    ["an argument that is no integer", [getpid({ args: [0.5] })], /0.5 is not an integer/],
    ["nine tolerated errors", [getpid({ tolerate: [1, 2, 3, 4, 5, 6, 7, 8, 9] })], /too many tolerated/],
    ["a number that does not fit", [{ kind: "format", slot: 0, into: small, offset: 0 }], /no room for 20 digits/],
    ["a store outside its block", [{ kind: "store", slot: 0, into: small, offset: 0, width: 4 }], /outside/],
    ["a load outside its block", [{ kind: "load", slot: 0, from: small, offset: -1, width: 4 }], /outside/],
    ["a status of 3 bytes", [{ kind: "expectSuccess", label: "x", status: small }], /4 bytes/],
    [
      "a pointer outside its block",
      [getpid({ args: [{ data: { bytes: new Uint8Array(8), pointers: [{ offset: 1, to: small }] } }] })],
      /pointer at 1 is outside/,
    ],
  ];
  test.each(bad)("refuses %s", (_, ops, message) => {
    expect(() => encodePlan(planOf(ops), "x86_64")).toThrow(message);
  });

  test("refuses a system call that the architecture does not have", () => {
    const plan = planOf([getpid({ call: "mkdir" })]);
    expect(encode(plan).ops[0]?.number).toBe(83);
    expect(() => encodePlan(plan, "aarch64")).toThrow("aarch64 has no system call mkdir");
  });
});

test("plan.h has the same numbers as format.ts", () => {
  const source = readFileSync(new URL("../../../../ffi/launcher/plan.h", import.meta.url), "utf8");
  const table = source.slice(source.indexOf("/* BEGIN wire */"), source.indexOf("/* END wire */"));
  const numbers: Record<string, number> = {};
  for (const [, body = ""] of table.matchAll(/enum \{([^}]*)\}/g)) {
    let next = 0;
    for (const [, name = "", value] of body.matchAll(/(\w+)(?: = (\w+))?/g)) {
      next = value === undefined ? next : Number(value);
      numbers[name] = next++;
    }
  }
  expect(numbers).toEqual({ ...wire });
});
