import { describe, expect, test } from "bun:test";
import { encodePlan } from "../../../../ffi/launcher/encode.ts";
import { firstNamedFd, wire } from "../../../../ffi/launcher/format.ts";
import type { LaunchPlan, MonitorOp, MonitorSettings } from "../../../../ffi/launcher/wire.ts";
import { decodePlan } from "../../../helpers/decode-plan.ts";

const beat = {
  path: "/bin/check",
  args: ["check", "it"],
  env: ["A=b"],
  intervalMs: 30_000,
  startIntervalMs: 5000,
  startPeriodMs: 60_000,
};
const settings: MonitorSettings = { maxLogBytes: 10_000_000_000, maxLogFiles: 3 };
const monitor: MonitorOp = {
  kind: "monitor",
  slot: 4,
  stdout: { fd: "stdout" },
  stderr: { fd: "stderr" },
  terminal: { slot: 5 },
  input: -1,
  resize: -1,
  log: { fd: "log" },
  ended: { fd: "ended" },
  settings,
};
const planOf = (...ops: readonly MonitorOp[]): LaunchPlan => ({
  title: "test",
  ops,
  fds: ["log", "lock", "stdout", "stderr", "ended"],
});

/** The settings block of each monitor of a plan, and where its pointers lead. */
function decode(plan: LaunchPlan) {
  const { ops, data, relocations } = decodePlan(encodePlan(plan, "x86_64"));
  const textAt = (at: number): string => new TextDecoder().decode(data.subarray(at, data.indexOf(0, at)));
  const target = (at: number): number | undefined => relocations.find((each) => each.at === at)?.to;
  const vectorAt = (at: number): string[] => {
    const to = target(at);
    return to === undefined ? [] : [textAt(to), ...vectorAt(at + 8)];
  };
  return ops.map(({ kind, args }) => {
    const [slot, terminal, block] = args;
    const at = Number(block?.value);
    const view = new DataView(data.buffer, data.byteOffset + at, wire.MONITOR_BYTES);
    const [path, argv, envp] = [64, 72, 80].map((offset) => target(at + offset));
    return {
      kind,
      args: [slot, terminal].map((argument) => `${argument?.tag} ${argument?.value}`),
      block: block?.tag,
      aligned: at % 8,
      descriptors: [0, 4, 8, 12, 16, 20].map((offset) => view.getInt32(offset, true)),
      maxFiles: view.getUint32(24, true),
      numbers: [32, 40, 48, 56].map((offset) => view.getBigUint64(offset, true)),
      program: path === undefined ? undefined : [textAt(path), vectorAt(argv ?? 0), vectorAt(envp ?? 0)],
    };
  });
}

test("a monitor has its descriptors by number, and its settings in a block", () => {
  const fd = (position: number): number => firstNamedFd + position;
  expect(decode(planOf(monitor))).toEqual([
    {
      kind: wire.OP_MONITOR,
      args: ["slot 4", "slot 5"],
      block: "data",
      aligned: 0,
      descriptors: [fd(2), fd(3), -1, -1, fd(0), fd(4)],
      maxFiles: 3,
      numbers: [10_000_000_000n, 0n, 0n, 0n],
      program: undefined,
    },
  ]);
});

test("with a program that it starts again and again; two monitors have a block each", () => {
  const decoded = decode(planOf({ ...monitor, settings: { ...settings, beat } }, { ...monitor, terminal: -1 }));
  expect(decoded.map(({ program }) => program)).toEqual([["/bin/check", ["check", "it"], ["A=b"]], undefined]);
  expect(decoded[0]?.numbers).toEqual([10_000_000_000n, 30_000n, 5000n, 60_000n]);
  expect(decoded[1]?.args).toEqual(["slot 4", `immediate ${2n ** 64n - 1n}`]);
});

describe("refused", () => {
  const bad: readonly (readonly [string, Partial<MonitorSettings>, RegExp])[] = [
    ["a log without room for a frame", { maxLogBytes: 16 }, /a log of 16 bytes/],
    ["a log of less than nothing", { maxLogBytes: -1 }, /a log of -1 bytes/],
    ["no log file at all", { maxLogFiles: 0 }, /0 log files/],
    ["a hundred log files", { maxLogFiles: 100 }, /100 log files/],
    ["half a log file", { maxLogFiles: 1.5 }, /1.5 log files/],
    ["a program without a pause", { beat: { ...beat, intervalMs: 0 } }, /an interval of 0 ms/],
    ["a program without a pause in the beginning", { beat: { ...beat, startIntervalMs: 0 } }, /an interval of 0 ms/],
    ["an interval that cannot be counted", { beat: { ...beat, intervalMs: Number.MAX_VALUE } }, /an interval of/],
    ["a beginning of less than nothing", { beat: { ...beat, startPeriodMs: -1 } }, /a start period of -1 ms/],
    ["a word with a NUL byte", { beat: { ...beat, args: ["a\0b"] } }, /NUL byte/],
  ];
  test.each(bad)("%s", (_, more, message) => {
    const op = { ...monitor, settings: { ...settings, ...more } };
    expect(() => encodePlan(planOf(op), "x86_64")).toThrow(message);
    expect(() => encodePlan(planOf(op), "x86_64")).toThrow(/operation 0 \(monitor\)/);
  });

  test("a descriptor that is not handed over", () => {
    const op: MonitorOp = { ...monitor, input: { fd: "input" } };
    expect(() => encodePlan(planOf(op), "x86_64")).toThrow(/no descriptor named input/);
  });
});
