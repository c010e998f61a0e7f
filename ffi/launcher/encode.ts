/**
 * LaunchPlan → the bytes that `launcher.c` executes. Pure.
 *
 * Layout (little-endian): header, operations, relocations, data. Everything is counted before anything is written:
 * one allocation, and no garbage an operation. Typed arrays, not a DataView: this runs once, in the interpreter, where a
 * store into an array is an instruction and a method of DataView is a call.
 */
import { type Architecture, syscallNumber } from "../syscalls.ts";
import { monitorBlock } from "./encode-monitor.ts";
import { events, firstNamedFd, wire } from "./format.ts";
import type { Argument, Data, LaunchPlan, MonitorOp, Op, SyscallOp } from "./wire.ts";

/** Offsets of the fields of `struct op`, in bytes. */
const field = { flags: 2, number: 4, origin: 8, save: 12, onZero: 14, onError: 16, tags: 18, toleratedCount: 24 };
const toleratedOffset = 32;
const argsOffset = 48;

/** A plan on its way: where things are, and the bytes, seen in three widths. */
interface Encoding {
  readonly plan: LaunchPlan;
  /** The descriptors that the launcher was started with. */
  readonly fds: readonly string[];
  /** Number of the first operation in reports. */
  readonly firstOp: number;
  readonly architecture: Architecture;
  /** Mark → index among the encoded operations. */
  readonly marks: ReadonlyMap<string, number>;
  /** Offset of each block in the data, in order. */
  readonly blocks: ReadonlyMap<Data, number>;
  /** What the operations of this kind need, a block each. */
  readonly monitors: ReadonlyMap<MonitorOp, Data>;
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Uint32Array;
}

/**
 * The bytes of a plan for the launcher of `architecture`. `before`: the plan that was launched and that this one
 * continues: its descriptors are what there is, and the numbers of its operations come first.
 * A plan that cannot be encoded (unknown mark or descriptor, slot out of range, too many arguments …) is a bug of
 * the code that made it: RangeError, naming the operation.
 */
export function encodePlan(plan: LaunchPlan, architecture: Architecture, before?: LaunchPlan): Uint8Array {
  const marks = placeMarks(plan);
  const fds = before?.fds ?? plan.fds;
  const monitors = monitorBlocks(plan, fds);
  const { blocks, dataBytes, pointers } = placeData(plan, monitors);
  const opCount = plan.ops.length - marks.size;
  if (opCount >= wire.NONE) throw new RangeError(`launch plan: ${opCount} operations are too many`);
  const relocationOffset = wire.HEADER_BYTES + opCount * wire.OP_BYTES;
  const dataOffset = relocationOffset + pointers * wire.RELOCATION_BYTES;
  const size = dataOffset + dataBytes;
  if (size > wire.MAX_PLAN_BYTES) throw new RangeError(`launch plan: ${size} bytes are too many`);
  const buffer = new ArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  const words = new Uint32Array(buffer);
  words.set([wire.MAGIC, wire.VERSION, size, opCount, wire.HEADER_BYTES, dataOffset, dataBytes]);
  words.set([relocationOffset, pointers], 7);
  const origin = { fds, firstOp: before?.ops.length ?? 0 };
  writeOps({ ...origin, plan, architecture, marks, blocks, monitors, bytes, halves: new Uint16Array(buffer), words });
  writeData(bytes, words, blocks, relocationOffset, dataOffset);
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

function monitorBlocks(plan: LaunchPlan, fds: readonly string[]): Map<MonitorOp, Data> {
  const monitors = new Map<MonitorOp, Data>();
  for (const [i, op] of plan.ops.entries()) {
    if (op.kind !== "monitor") continue;
    try {
      monitors.set(
        op,
        monitorBlock(op, (name) => numberOf(fds, name)),
      );
    } catch (error) {
      throw badOp(op, i, error instanceof RangeError ? error.message : String(error));
    }
  }
  return monitors;
}

/** Give every block that the plan refers to, also through other blocks, its place: aligned to 8 bytes. */
function placeData(
  plan: LaunchPlan,
  monitors: ReadonlyMap<MonitorOp, Data>,
): { blocks: Map<Data, number>; dataBytes: number; pointers: number } {
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
      for (let i = 0; i < op.args.length; i++) {
        const argument = op.args[i];
        if (typeof argument === "object" && "data" in argument) place(argument.data);
      }
    } else if (op.kind === "format" || op.kind === "store") place(op.into);
    else if (op.kind === "load") place(op.from);
    else if (op.kind === "expectSuccess") place(op.status);
    else if (op.kind === "monitor") place(monitors.get(op) ?? nothing);
  }
  return { blocks, dataBytes, pointers };
}

const nothing: Data = { bytes: new Uint8Array() };

function writeData(
  bytes: Uint8Array,
  words: Uint32Array,
  blocks: ReadonlyMap<Data, number>,
  relocationOffset: number,
  dataOffset: number,
): void {
  let word = relocationOffset / 4;
  for (const [data, offset] of blocks) {
    bytes.set(data.bytes, dataOffset + offset);
    if (data.pointers === undefined) continue;
    for (const pointer of data.pointers) {
      words[word] = offset + pointer.offset;
      words[word + 1] = blocks.get(pointer.to) ?? 0;
      word += 2;
    }
  }
}

function writeOps(encoding: Encoding): void {
  const { plan, firstOp, halves, words } = encoding;
  let at: number = wire.HEADER_BYTES;
  for (let i = 0; i < plan.ops.length; i++) {
    const op = plan.ops[i];
    if (op === undefined || op.kind === "mark") continue;
    words[(at + field.origin) >> 2] = firstOp + i;
    halves[(at + field.save) >> 1] = wire.NONE;
    halves[(at + field.onZero) >> 1] = wire.NONE;
    halves[(at + field.onError) >> 1] = wire.NONE;
    if (op.kind === "syscall") writeSyscall(encoding, at, op, i);
    else writeOther(encoding, at, op, i);
    at += wire.OP_BYTES;
  }
}

function begin({ halves, words }: Encoding, at: number, kind: number, number = 0, flags = 0): void {
  halves[at >> 1] = kind;
  halves[(at + field.flags) >> 1] = flags;
  words[(at + field.number) >> 2] = number;
}

function writeSyscall(encoding: Encoding, at: number, op: SyscallOp, index: number): void {
  const { architecture, bytes, halves } = encoding;
  const { args, tolerate } = op;
  const number = syscallNumber(op.call, architecture);
  if (number === undefined) throw badOp(op, index, `${architecture} has no system call ${op.call}`);
  if (args.length > wire.MAX_ARGS) throw badOp(op, index, `${args.length} arguments are too many`);
  // close(2): the descriptor is gone also after EINTR; a second call could hit another one.
  const flags = (op.call === "close" ? wire.FLAG_NO_RETRY : 0) | (op.replace === true ? wire.FLAG_REPLACE : 0);
  begin(encoding, at, wire.OP_SYSCALL, number, flags);
  if (op.save !== undefined) halves[(at + field.save) >> 1] = checkSlot(op.save, op, index);
  if (op.onZero !== undefined) writeMark(encoding, at + field.onZero, op.onZero, op, index);
  if (op.onError !== undefined) writeMark(encoding, at + field.onError, op.onError, op, index);
  if (tolerate !== undefined) {
    if (tolerate.length > wire.MAX_TOLERATED) throw badOp(op, index, "too many tolerated errors");
    bytes[at + field.toleratedCount] = tolerate.length;
    halves.set(tolerate, (at + toleratedOffset) >> 1);
  }
  for (let i = 0; i < args.length; i++) writeArgument(encoding, at, i, args[i] ?? 0, op, index);
}

/** All operations that are no system calls. */
function writeOther(
  encoding: Encoding,
  at: number,
  op: Exclude<Op, { kind: "syscall" | "mark" }>,
  index: number,
): void {
  const slot = (value: { readonly slot: number }): void => writeArgument(encoding, at, 0, value, op, index);
  switch (op.kind) {
    case "jump":
      begin(encoding, at, wire.OP_JUMP);
      writeMark(encoding, at + field.onZero, op.to, op, index);
      break;
    case "format":
      // 2^64 has 20 digits, and NUL follows.
      if (!fits(op.into, op.offset, 21)) throw badOp(op, index, "the block has no room for 20 digits");
      begin(encoding, at, wire.OP_FORMAT);
      slot(op);
      writeDataArgument(encoding, at, 1, op.into, op.offset);
      break;
    case "store":
      if (!fits(op.into, op.offset, op.width)) throw badOp(op, index, "the value is outside the block");
      begin(encoding, at, wire.OP_STORE, op.width);
      slot(op);
      writeDataArgument(encoding, at, 1, op.into, op.offset);
      break;
    case "load":
      if (!fits(op.from, op.offset, op.width)) throw badOp(op, index, "the value is outside the block");
      begin(encoding, at, wire.OP_LOAD, op.width);
      encoding.halves[(at + field.save) >> 1] = checkSlot(op.slot, op, index);
      writeDataArgument(encoding, at, 1, op.from, op.offset);
      break;
    case "report":
      begin(encoding, at, wire.OP_REPORT, events.indexOf(op.event));
      slot(op);
      break;
    case "expectSuccess":
      if (!fits(op.status, 0, 4)) throw badOp(op, index, "a wait status has 4 bytes");
      begin(encoding, at, wire.OP_EXPECT_SUCCESS);
      writeDataArgument(encoding, at, 0, op.status, 0);
      break;
    case "fail":
      begin(encoding, at, wire.OP_FAIL, typeof op.errno === "number" ? op.errno : 0);
      if (typeof op.errno !== "number") slot(op.errno);
      break;
    case "supervise":
      begin(encoding, at, wire.OP_SUPERVISE, 0, op.tied ? wire.FLAG_TIED : 0);
      slot(op);
      break;
    case "monitor":
      begin(encoding, at, wire.OP_MONITOR);
      slot(op);
      writeArgument(encoding, at, 1, op.terminal, op, index);
      writeDataArgument(encoding, at, 2, encoding.monitors.get(op) ?? nothing, 0);
      break;
    case "init":
      begin(encoding, at, wire.OP_INIT);
      slot(op);
      break;
    case "exit":
      begin(encoding, at, wire.OP_EXIT, op.code);
      break;
    case "continue":
      begin(encoding, at, wire.OP_CONTINUE);
      break;
  }
}

function writeArgument(encoding: Encoding, at: number, i: number, value: Argument, op: Op, index: number): void {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw badOp(op, index, `argument ${i}: ${value} is not an integer`);
    writeInteger(encoding.words, at + argsOffset + i * 8, value);
  } else if (typeof value === "bigint") {
    const unsigned = BigInt.asUintN(64, value);
    const word = (at + argsOffset + i * 8) >> 2;
    encoding.words[word] = Number(unsigned & 0xffff_ffffn);
    encoding.words[word + 1] = Number(unsigned >> 32n);
  } else if ("data" in value) {
    writeDataArgument(encoding, at, i, value.data, 0);
  } else if ("slot" in value) {
    encoding.bytes[at + field.tags + i] = value.negated === true ? wire.ARG_NEGATED_SLOT : wire.ARG_SLOT;
    encoding.words[(at + argsOffset + i * 8) >> 2] = checkSlot(value.slot, op, index);
  } else {
    const word = (at + argsOffset + i * 8) >> 2;
    const number = encoding.fds.indexOf(value.fd);
    if (number === -1) throw badOp(op, index, noDescriptor(value.fd));
    encoding.words[word] = firstNamedFd + number;
  }
}

function numberOf(fds: readonly string[], name: string): number {
  const position = fds.indexOf(name);
  if (position === -1) throw new RangeError(noDescriptor(name));
  return firstNamedFd + position;
}

function noDescriptor(name: string): string {
  return `the plan expects no descriptor named ${name}`;
}

function writeDataArgument(encoding: Encoding, at: number, i: number, data: Data, offset: number): void {
  encoding.bytes[at + field.tags + i] = wire.ARG_DATA;
  encoding.words[(at + argsOffset + i * 8) >> 2] = (encoding.blocks.get(data) ?? 0) + offset;
}

/** A safe integer as 64 bits, two's complement, without a BigInt. */
function writeInteger(words: Uint32Array, at: number, value: number): void {
  words[at >> 2] = value >>> 0;
  words[(at >> 2) + 1] = Math.floor(value / 2 ** 32) >>> 0;
}

function writeMark(encoding: Encoding, at: number, name: string, op: Op, index: number): void {
  const target = encoding.marks.get(name);
  if (target === undefined) throw badOp(op, index, `no mark is named ${name}`);
  encoding.halves[at >> 1] = target;
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
