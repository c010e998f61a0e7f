import { expect, test } from "bun:test";
import { encodePlan } from "../../../ffi/launcher/encode.ts";
import { beginPlan } from "../../../src/launch/plan.ts";

const asText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("equal texts share one block; bytes and buffers never do", () => {
  const plan = beginPlan("t");
  expect(plan.string("/proc").data).toBe(plan.string("/proc").data);
  expect(asText(plan.string("/proc").data.bytes)).toBe("/proc\0");
  expect(plan.bytes(new Uint8Array(1)).data).not.toBe(plan.bytes(new Uint8Array(1)).data);
  expect(plan.buffer(8).data).not.toBe(plan.buffer(8).data);
});

test("a text with a NUL byte is refused: the kernel would see another name", () => {
  const plan = beginPlan("t");
  expect(() => plan.string("/etc\0/x")).toThrow(RangeError);
  expect(() => plan.vector(["a\0b"])).toThrow(RangeError);
});

test("a vector points to its items and ends with NULL", () => {
  const plan = beginPlan("t");
  const digits = plan.buffer(24);
  const { bytes, pointers } = plan.vector(["newuidmap", digits, "0"]).data;
  expect(bytes).toEqual(new Uint8Array(32));
  expect(pointers?.map(({ offset }) => offset)).toEqual([0, 8, 16]);
  expect(pointers?.[1]?.to).toBe(digits.data);
  expect(plan.vector([]).data.bytes.length).toBe(8);
});

test("a structure holds addresses where it is told", () => {
  const plan = beginPlan("t");
  const filter = plan.bytes(new Uint8Array(16));
  expect(plan.struct(new Uint8Array(16), { 8: filter }).data.pointers).toEqual([{ offset: 8, to: filter.data }]);
});

test("slots and marks are never the same twice, descriptors are by name", () => {
  const plan = beginPlan("t");
  expect([plan.slot(), plan.slot(), plan.slot()]).toEqual([0, 1, 2]);
  expect(plan.mark("end")).not.toBe(plan.mark("end"));
  plan.fd("lock");
  plan.fd("go");
  expect(plan.fd("lock")).toEqual({ fd: "lock" });
  expect(plan.finish().fds).toEqual(["lock", "go"]);
});

test("a fork leaves the child's operations to the child, and a child that comes to their end exits", () => {
  const plan = beginPlan("t");
  const slot = plan.fork("start", 0, () => plan.syscall("ask", "getpid", []));
  plan.syscall("go on", "getppid", []);
  const { ops } = plan.finish();
  expect(ops.map((op) => ("label" in op ? op.label : op.kind))).toEqual([
    "start",
    "jump",
    "mark",
    "ask",
    "exit",
    "mark",
    "go on",
  ]);
  expect(ops[0]).toMatchObject({ call: "clone", args: [17, 0, 0, 0, 0], save: slot, onZero: "start: child #1" });
  expect(ops[1]).toEqual({ kind: "jump", to: "start: parent #2" });
});

test("a descriptor's slot replaces what it held, whoever saves in it; another slot does not", () => {
  const plan = beginPlan("t");
  const [slot, descriptor] = [plan.slot(), plan.descriptor()];
  expect(descriptor).not.toBe(slot);
  plan.syscall("ask", "getpid", [], { save: slot });
  plan.syscall("open", "openat", [], { save: descriptor });
  plan.syscall("ask", "getpid", [descriptor]);
  expect(plan.finish().ops.map((op) => "replace" in op)).toEqual([false, true, false]);
});

test("what is finished does not change when the builder goes on, and can be encoded", () => {
  const plan = beginPlan("t");
  const { read } = plan.pipe("make a pipe");
  plan.waitForSuccess(
    "helper",
    plan.fork("fork", 0, () => {}),
  );
  plan.syscall("close", "close", [{ slot: read }]);
  const finished = plan.finish();
  const { length } = finished.ops;
  plan.add({ kind: "exit", code: 0 });
  expect(finished.ops.length).toBe(length);
  for (const architecture of ["x86_64", "aarch64"] as const) encodePlan(finished, architecture);
});

test("slots of a scope are free again after it, and never those of descriptors", () => {
  const plan = beginPlan("scopes");
  const first = plan.slot();
  const taken: number[] = [];
  for (let i = 0; i < 3; i++) {
    plan.scoped(() => {
      taken.push(plan.slot(), plan.slot());
      plan.scoped(() => taken.push(plan.slot()));
    });
  }
  const [next, descriptor] = [plan.slot(), plan.descriptor()];
  expect(taken.slice(3)).toEqual([...taken.slice(0, 3)].concat(taken.slice(0, 3)));
  expect(new Set([first, next, descriptor, ...taken]).size).toBe(6);
});
