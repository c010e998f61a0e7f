/**
 * LaunchPlan → the bytes that `launcher.c` executes. Pure.
 *
 * Layout (little-endian): header, operations, relocations, data. Everything is counted before anything is written:
 * one allocation, and no garbage an operation, since a plan is encoded by code that has not been compiled yet.
 */
import { type Architecture, syscallNumber } from "../syscalls.ts";
import { events, firstNamedFd, wire } from "./format.ts";
import type { Argument, Data, LaunchPlan, Op, SyscallOp } from "./wire.ts";

/** Offsets of the fields of `struct op`. */
const field = { flags: 2, number: 4, origin: 8, save: 12, onZero: 14, onError: 16, tags: 18, toleratedCount: 24 };
const toleratedOffset = 32;
const argsOffset = 48;

/** A plan on its way: where things are, and the bytes. */
interface Encoding {
  readonly plan: LaunchPlan;
  readonly architecture: Architecture;
  /** Mark → index among the encoded operations. */
  readonly marks: ReadonlyMap<string, number>;
  /** Offset of each block in the data, in order. */
  readonly blocks: ReadonlyMap<Data, number>;
  readonly view: DataView;
}

/**
 * The bytes of a plan for the launcher of `architecture`.
 * A plan that cannot be encoded (unknown mark or descriptor, slot out of range, too many arguments …) is a bug of
 * the code that made it: RangeError, naming the operation.
 */
export function encodePlan(plan: LaunchPlan, architecture: Architecture): Uint8Array {
  const marks = placeMarks(plan);
  const { blocks, dataBytes, pointers } = placeData(plan);
  const opCount = plan.ops.length - marks.size;
  if (opCount >= wire.NONE) throw new RangeError(`launch plan: ${opCount} operations are too many`);
  const relocationOffset = wire.HEADER_BYTES + opCount * wire.OP_BYTES;
  const dataOffset = relocationOffset + pointers * wire.RELOCATION_BYTES;
  const bytes = new Uint8Array(dataOffset + dataBytes);
  const view = new DataView(bytes.buffer);
  const header = [
    ...[wire.MAGIC, wire.VERSION, bytes.length, opCount, wire.HEADER_BYTES, dataOffset, dataBytes],
    ...[relocationOffset, pointers],
  ];
  for (const [i, word] of header.entries()) view.setUint32(i * 4, word, true);
  writeOps({ plan, architecture, marks, blocks, view });
  writeData(bytes, view, blocks, relocationOffset, dataOffset);
  return bytes;
}

function placeMarks(plan: LaunchPlan): Map<string, number> {
  const marks = new Map<string, number>();
  for (const [i, op] of plan.ops.entries()) {
    if (op.kind !== "mark") continue;
    if (marks.has(op.name)) throw badOp(op, i, `mark ${op.name} is there twice`);
    marks.set(op.name, i - marks.size);
  }
  return marks;
}

/** Give every block that the plan refers to, also through other blocks, its place: aligned to 8 bytes. */
function placeData(plan: LaunchPlan): { blocks: Map<Data, number>; dataBytes: number; pointers: number } {
  const blocks = new Map<Data, number>();
  let dataBytes = 0;
  let pointers = 0;
  const place = (data: Data): void => {
    if (blocks.has(data)) return;
    blocks.set(data, dataBytes);
    dataBytes += (data.bytes.length + 7) & ~7;
    for (const { offset, to } of data.pointers ?? []) {
      if (!fits(data, offset, 8)) throw new RangeError(`launch plan: a pointer at ${offset} is outside its block`);
      pointers += 1;
      place(to);
    }
  };
  for (const op of plan.ops) {
    if (op.kind === "syscall") {
      for (const argument of op.args) if (typeof argument === "object" && "data" in argument) place(argument.data);
    } else if (op.kind === "format" || op.kind === "store") place(op.into);
    else if (op.kind === "load") place(op.from);
    else if (op.kind === "expectSuccess") place(op.status);
  }
  return { blocks, dataBytes, pointers };
}

function writeData(
  bytes: Uint8Array,
  view: DataView,
  blocks: ReadonlyMap<Data, number>,
  relocationOffset: number,
  dataOffset: number,
): void {
  let at = relocationOffset;
  for (const [data, offset] of blocks) {
    bytes.set(data.bytes, dataOffset + offset);
    for (const pointer of data.pointers ?? []) {
      view.setUint32(at, offset + pointer.offset, true);
      view.setUint32(at + 4, blocks.get(pointer.to) ?? 0, true);
      at += wire.RELOCATION_BYTES;
    }
  }
}

function writeOps(encoding: Encoding): void {
  let at: number = wire.HEADER_BYTES;
  for (const [i, op] of encoding.plan.ops.entries()) {
    if (op.kind === "mark") continue;
    encoding.view.setUint32(at + field.origin, i, true);
    for (const offset of [field.save, field.onZero, field.onError])
      encoding.view.setUint16(at + offset, wire.NONE, true);
    writeOp(encoding, at, op, i);
    at += wire.OP_BYTES;
  }
}

function writeOp(encoding: Encoding, at: number, op: Exclude<Op, { kind: "mark" }>, index: number): void {
  const { view } = encoding;
  const begin = (kind: number, number = 0, flags = 0): void => {
    view.setUint16(at, kind, true);
    view.setUint16(at + field.flags, flags, true);
    view.setUint32(at + field.number, number, true);
  };
  const argument = (i: number, value: Argument): void => writeArgument(encoding, at, i, value, op, index);
  switch (op.kind) {
    case "syscall":
      writeSyscall(encoding, at, op, index);
      break;
    case "jump":
      begin(wire.OP_JUMP);
      writeMark(encoding, at + field.onZero, op.to, op, index);
      break;
    case "format":
      // 2^64 has 20 digits, and NUL follows.
      if (!fits(op.into, op.offset, 21)) throw badOp(op, index, "the block has no room for 20 digits");
      begin(wire.OP_FORMAT);
      argument(0, { slot: op.slot });
      writeDataArgument(encoding, at, 1, op.into, op.offset);
      break;
    case "store":
      if (!fits(op.into, op.offset, op.width)) throw badOp(op, index, "the value is outside the block");
      begin(wire.OP_STORE, op.width);
      argument(0, { slot: op.slot });
      writeDataArgument(encoding, at, 1, op.into, op.offset);
      break;
    case "load":
      if (!fits(op.from, op.offset, op.width)) throw badOp(op, index, "the value is outside the block");
      begin(wire.OP_LOAD, op.width);
      view.setUint16(at + field.save, checkSlot(op.slot, op, index), true);
      writeDataArgument(encoding, at, 1, op.from, op.offset);
      break;
    case "report":
      begin(wire.OP_REPORT, events.indexOf(op.event));
      argument(0, { slot: op.slot });
      break;
    case "expectSuccess":
      if (!fits(op.status, 0, 4)) throw badOp(op, index, "a wait status has 4 bytes");
      begin(wire.OP_EXPECT_SUCCESS);
      writeDataArgument(encoding, at, 0, op.status, 0);
      break;
    case "fail":
      begin(wire.OP_FAIL, typeof op.errno === "number" ? op.errno : 0);
      if (typeof op.errno !== "number") argument(0, op.errno);
      break;
    case "supervise":
      begin(wire.OP_SUPERVISE, 0, op.tied ? wire.FLAG_TIED : 0);
      argument(0, { slot: op.slot });
      break;
    case "init":
      begin(wire.OP_INIT);
      argument(0, { slot: op.slot });
      break;
    case "exit":
      begin(wire.OP_EXIT, op.code);
      break;
  }
}

function writeSyscall(encoding: Encoding, at: number, op: SyscallOp, index: number): void {
  const { view, architecture } = encoding;
  const number = syscallNumber(op.call, architecture);
  if (number === undefined) throw badOp(op, index, `${architecture} has no system call ${op.call}`);
  if (op.args.length > wire.MAX_ARGS) throw badOp(op, index, `${op.args.length} arguments are too many`);
  const tolerate = op.tolerate ?? [];
  if (tolerate.length > wire.MAX_TOLERATED) throw badOp(op, index, "too many tolerated errors");
  view.setUint16(at, wire.OP_SYSCALL, true);
  // close(2): the descriptor is gone also after EINTR; a second call could hit another one.
  view.setUint16(at + field.flags, op.call === "close" ? wire.FLAG_NO_RETRY : 0, true);
  view.setUint32(at + field.number, number, true);
  if (op.save !== undefined) view.setUint16(at + field.save, checkSlot(op.save, op, index), true);
  if (op.onZero !== undefined) writeMark(encoding, at + field.onZero, op.onZero, op, index);
  if (op.onError !== undefined) writeMark(encoding, at + field.onError, op.onError, op, index);
  view.setUint8(at + field.toleratedCount, tolerate.length);
  for (let i = 0; i < tolerate.length; i++) view.setUint16(at + toleratedOffset + i * 2, tolerate[i] ?? 0, true);
  for (let i = 0; i < op.args.length; i++) writeArgument(encoding, at, i, op.args[i] ?? 0, op, index);
}

function writeArgument(encoding: Encoding, at: number, i: number, value: Argument, op: Op, index: number): void {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw badOp(op, index, `argument ${i}: ${value} is not an integer`);
    writeInteger(encoding.view, at + argsOffset + i * 8, value);
  } else if (typeof value === "bigint") {
    encoding.view.setBigUint64(at + argsOffset + i * 8, BigInt.asUintN(64, value), true);
  } else if ("data" in value) {
    writeDataArgument(encoding, at, i, value.data, 0);
  } else if ("slot" in value) {
    encoding.view.setUint8(at + field.tags + i, wire.ARG_SLOT);
    writeInteger(encoding.view, at + argsOffset + i * 8, checkSlot(value.slot, op, index));
  } else {
    const position = encoding.plan.fds.indexOf(value.fd);
    if (position === -1) throw badOp(op, index, `the plan expects no descriptor named ${value.fd}`);
    writeInteger(encoding.view, at + argsOffset + i * 8, firstNamedFd + position);
  }
}

function writeDataArgument(encoding: Encoding, at: number, i: number, data: Data, offset: number): void {
  encoding.view.setUint8(at + field.tags + i, wire.ARG_DATA);
  writeInteger(encoding.view, at + argsOffset + i * 8, (encoding.blocks.get(data) ?? 0) + offset);
}

/** A safe integer as 64 bits, two's complement, without a BigInt. */
function writeInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32) >>> 0, true);
}

function writeMark(encoding: Encoding, at: number, name: string, op: Op, index: number): void {
  const target = encoding.marks.get(name);
  if (target === undefined) throw badOp(op, index, `no mark is named ${name}`);
  encoding.view.setUint16(at, target, true);
}

function checkSlot(slot: number, op: Op, index: number): number {
  if (!Number.isInteger(slot) || slot < 0 || slot >= wire.MAX_SLOTS) throw badOp(op, index, `no slot ${slot}`);
  return slot;
}

function fits(data: Data, offset: number, length: number): boolean {
  return Number.isInteger(offset) && offset >= 0 && offset + length <= data.bytes.length;
}

function badOp(op: Op, index: number, reason: string): RangeError {
  return new RangeError(`launch plan: operation ${index} (${"label" in op ? op.label : op.kind}): ${reason}`);
}
