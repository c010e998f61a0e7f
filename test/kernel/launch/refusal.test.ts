/** What the launcher checks before it does anything: a plan that is not ours, or not as it was, is refused. */
import { expect, test } from "bun:test";
import { closeSync, readSync, writeSync } from "node:fs";
import { EINVAL } from "../../../ffi/errno.ts";
import { encodePlan } from "../../../ffi/launcher/encode.ts";
import { wire } from "../../../ffi/launcher/format.ts";
import { decodeReport } from "../../../ffi/launcher/report.ts";
import { hostArchitecture } from "../../../src/launch/launcher-program.ts";
import { beginPlan } from "../../../src/launch/plan.ts";
import { pipe } from "../../helpers/launch-plans.ts";

const program = new URL(`../../../dist/launcher-${hostArchitecture}`, import.meta.url).pathname;

/** Feed raw bytes to the launcher: exit status and the first report. */
async function execute(bytes: Uint8Array) {
  const [plans, reports] = [pipe(), pipe()];
  const child = Bun.spawn([program], { stdio: ["ignore", "inherit", "inherit", plans.read, reports.write] });
  closeSync(reports.write);
  writeSync(plans.write, bytes);
  closeSync(plans.write);
  const record = new Uint8Array(wire.REPORT_BYTES);
  const length = readSync(reports.read, record);
  for (const each of [plans.read, reports.read]) closeSync(each);
  return { status: await child.exited, report: decodeReport(record.subarray(0, length)) };
}

/** A plan with every kind of reference in it, which would exit with 7. */
function goodPlan(): Uint8Array {
  const plan = beginPlan("exit 7");
  const slot = plan.slot();
  plan.syscall("ask", "getpid", [{ slot }, plan.vector(["a", "b"])], { save: slot });
  plan.add({ kind: "format", slot, into: plan.buffer(24).data, offset: 0 });
  plan.add({ kind: "exit", code: 7 });
  return encodePlan(plan.finish(), hostArchitecture);
}

const ops = wire.HEADER_BYTES;
const format = ops + wire.OP_BYTES;

/** name, check that refuses it, and how the bytes are altered. */
const alterations: readonly (readonly [string, number, (view: DataView) => void])[] = [
  ["another magic number", 1, (view) => view.setUint32(0, 1, true)],
  ["another version", 1, (view) => view.setUint32(4, 99, true)],
  ["smaller than its header", 1, (view) => view.setUint32(8, wire.HEADER_BYTES - 1, true)],
  ["larger than any plan", 1, (view) => view.setUint32(8, wire.MAX_PLAN_BYTES + 1, true)],
  ["too many operations", 2, (view) => view.setUint32(12, 60_000, true)],
  ["operations outside", 2, (view) => view.setUint32(16, 0xffff_fff8, true)],
  ["operations not aligned", 2, (view) => view.setUint32(16, ops + 4, true)],
  ["data outside", 2, (view) => view.setUint32(20, 0xffff_ffff, true)],
  ["too much data", 2, (view) => view.setUint32(24, 0xffff_ffff, true)],
  ["relocations outside", 2, (view) => view.setUint32(32, 0x7fff_ffff, true)],
  ["an unknown operation", 3, (view) => view.setUint16(ops, 99, true)],
  ["a slot outside, to save in", 3, (view) => view.setUint16(ops + 12, wire.MAX_SLOTS, true)],
  ["a jump outside at 0", 3, (view) => view.setUint16(ops + 14, 4, true)],
  ["a jump outside at an error", 3, (view) => view.setUint16(ops + 16, 4, true)],
  ["an unknown kind of argument", 3, (view) => view.setUint8(ops + 18, 4)],
  ["a slot outside, to read", 3, (view) => view.setBigUint64(ops + 48, BigInt(wire.MAX_SLOTS), true)],
  ["an address outside the data", 3, (view) => view.setBigUint64(ops + 56, 1n << 32n, true)],
  ["too many tolerated errors", 3, (view) => view.setUint8(ops + 24, 9)],
  ["digits to an address of its choice", 3, (view) => view.setUint8(format + 19, wire.ARG_IMMEDIATE)],
  ["digits over the end of the data", 3, (view) => view.setBigUint64(format + 56, BigInt(dataSize(view) - 8), true)],
  ["a pointer outside the data", 4, (view) => view.setUint32(view.getUint32(28, true), dataSize(view), true)],
  ["a pointer to outside the data", 4, (view) => view.setUint32(view.getUint32(28, true) + 4, 0xffff_ffff, true)],
];

function dataSize(view: DataView): number {
  return view.getUint32(24, true);
}

/** wait4(2). */
const ECHILD = 10;

/** A plan with a monitor, for which it has no child: were it not refused, it would fail there. */
function monitorPlan(): Uint8Array {
  const plan = beginPlan("monitor nobody");
  const none = { stdout: -1, stderr: -1, terminal: -1, input: -1, resize: -1, log: -1, ended: -1 } as const;
  plan.add({ kind: "monitor", slot: plan.slot(), ...none, settings: { maxLogBytes: 0, maxLogFiles: 1 } });
  return encodePlan(plan.finish(), hostArchitecture);
}

const settings = (view: DataView): number => view.getUint32(20, true) + Number(view.getBigUint64(ops + 64, true));
const monitorAlterations: readonly (readonly [string, number, (view: DataView) => void])[] = [
  ["its settings at an address of its choice", 3, (view) => view.setUint8(ops + 20, wire.ARG_IMMEDIATE)],
  ["its settings over the end of the data", 3, (view) => view.setBigUint64(ops + 64, 8n, true)],
  ["its settings not aligned", 3, (view) => view.setUint32(20, view.getUint32(20, true) - 4, true)],
];

test.each(monitorAlterations)("refused of a monitor: %s", async (_, check, alter) => {
  const bytes = monitorPlan();
  alter(new DataView(bytes.buffer));
  const report = { kind: "failed", op: undefined, errno: EINVAL, detail: check } as const;
  expect(await execute(bytes)).toEqual({ status: 125, report });
});

test.each([
  ["no log file", (view: DataView) => view.setUint32(settings(view) + 24, 0, true)],
  ["files smaller than a frame", (view: DataView) => view.setBigUint64(settings(view) + 32, 16n, true)],
])("a monitor that is to keep %s fails before it begins", async (_, alter) => {
  const bytes = monitorPlan();
  alter(new DataView(bytes.buffer));
  expect(await execute(bytes)).toEqual({ status: 125, report: { kind: "failed", op: 0, errno: EINVAL, detail: 0 } });
});

test("a monitor of nobody fails", async () => {
  const report = { kind: "failed", op: 0, errno: ECHILD, detail: 0 } as const;
  expect(await execute(monitorPlan())).toEqual({ status: 125, report });
});

test("the plan is good as it is", async () => {
  expect(await execute(goodPlan())).toEqual({ status: 7, report: undefined });
});

test.each(alterations)("refused: %s", async (_, check, alter) => {
  const bytes = goodPlan();
  alter(new DataView(bytes.buffer));
  const report = { kind: "failed", op: undefined, errno: EINVAL, detail: check } as const;
  expect(await execute(bytes)).toEqual({ status: 125, report });
});

test.each([
  ["nothing", 0],
  ["less than a header", wire.HEADER_BYTES - 1],
  ["a header alone", wire.HEADER_BYTES],
  ["all but the last byte", goodPlan().length - 1],
])("a pipe that ends after %s: given up, without a word", async (_, length) => {
  expect(await execute(goodPlan().subarray(0, length))).toEqual({ status: 125, report: undefined });
});
