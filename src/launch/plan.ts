/**
 * A small builder of launch plans. Operations are appended in the order in which they are executed; what they need
 * (texts, vectors, slots) is made on the way:
 *
 *     const plan = beginPlan("start a box");
 *     const mount = plan.slot();
 *     plan.syscall("open the new root", "openat", [AT_FDCWD, plan.string("/root"), O_PATH, 0], { save: mount });
 *     plan.syscall("enter it", "fchdir", [{ slot: mount }]);
 *     return plan.finish();
 *
 * The builder checks nothing that the encoder checks: a wrong plan is found when it is encoded or explained.
 */
import { __WALL, O_CLOEXEC, SIGCHLD } from "../../ffi/constants.ts";
import { reportFd, wire } from "../../ffi/launcher/format.ts";
import type { Argument, Data, LaunchPlan, Op, SyscallOp } from "../../ffi/launcher/wire.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";

export type { Data, LaunchPlan } from "../../ffi/launcher/wire.ts";

/** What a system call may have beside its arguments: see `SyscallOp`. */
export type SyscallOptions = Pick<SyscallOp, "save" | "tolerate" | "onZero" | "onError">;

/** An argument that is the address of a block. */
export interface DataArgument {
  readonly data: Data;
}

/** The address where a part of a plan jumps to; a fresh name, readable in `--explain`. */
export type Mark = string;

/** Makes blocks of data. */
interface DataMaker {
  /** A text as a C string; equal texts share one block. A NUL inside is a RangeError. */
  string(text: string): DataArgument;
  /** Bytes as they are. A fresh block each time: it may be written to at run time. */
  bytes(bytes: Uint8Array): DataArgument;
  /** A block of `length` zero bytes for the kernel or an operation to write into. */
  buffer(length: number): DataArgument;
  /** An array of addresses that ends with NULL: argv, envp. A vector may hold blocks that are formatted at run time. */
  vector(items: readonly (string | DataArgument)[]): DataArgument;
  /** A structure with addresses inside: `pointers` maps byte offsets (multiples of 8) to blocks. */
  struct(bytes: Uint8Array, pointers: Readonly<Record<number, DataArgument>>): DataArgument;
}

/** Appends single operations. */
interface OpAppender {
  /** Append any operation. */
  add(op: Op): void;
  /** Append a system call. `label`: a verb phrase that names the object, for the user who reads that it failed. */
  syscall(label: string, call: SyscallName, args: readonly Argument[], options?: SyscallOptions): void;
  /** A slot that nobody else uses. */
  slot(): number;
  /** Append what `steps` does; the slots that it takes by `slot` (or `fork`, `pipe`) are free again afterwards. */
  scoped(steps: () => void): void;
  /**
   * A slot for descriptors: saving another one in it closes the one before. The last is closed when the process executes a
   * program. It must not be closed by hand.
   */
  descriptor(): number;
  /** The name of a place; `here` puts it. */
  mark(name: string): Mark;
  /** Put a mark at this point of the plan. */
  here(mark: Mark): void;
  /** Name a descriptor that must be handed over when the plan is launched; the same name gives the same descriptor. */
  fd(name: string): { readonly fd: string };
  /** The plan so far, as data. */
  finish(): LaunchPlan;
}

export interface PlanBuilder extends DataMaker, OpAppender {
  /**
   * Fork (clone(2) with `flags` and SIGCHLD) and describe the child: `child` appends its operations; a child that comes to
   * their end exits with 0. The parent continues after them; the slot holds the child's pid.
   */
  fork(label: string, flags: number, child: () => void): number;
  /** A pipe(7), closed on exec: slots of its reading and its writing end. */
  pipe(label: string): { readonly read: number; readonly write: number };
  /** Wait for the child in `slot`; the plan fails unless it exits with 0. `label`: the name of the program. */
  waitForSuccess(label: string, slot: number): void;
}

/** A new plan. `title`: what it does, for `--explain` and for errors. */
export function beginPlan(title: string): PlanBuilder {
  const ops = opAppender(title);
  const data = dataMaker();
  return {
    ...ops,
    ...data,
    fork: (label, flags, child) => fork(ops, label, flags, child),
    pipe: (label) => pipe(ops, data, label),
    waitForSuccess: (label, slot) => waitForSuccess(ops, data, label, slot),
  };
}

/**
 * Append: report to the descriptor `name` from here on (in this process, and those that it forks), and no longer to whoever
 * launched. Its end comes when a program is executed, as that of the report pipe.
 */
export function redirectReports(plan: PlanBuilder, name: string): void {
  plan.syscall("report elsewhere", "dup3", [plan.fd(name), reportFd, O_CLOEXEC]);
}

function dataMaker(): DataMaker {
  const encoder = new TextEncoder();
  const strings = new Map<string, DataArgument>();
  const string = (text: string): DataArgument => {
    const known = strings.get(text);
    if (known !== undefined) return known;
    if (text.includes("\0")) throw new RangeError(`launch plan: a text with a NUL byte: ${JSON.stringify(text)}`);
    const made: DataArgument = { data: { bytes: encoder.encode(`${text}\0`) } };
    strings.set(text, made);
    return made;
  };
  return {
    string,
    bytes: (bytes) => ({ data: { bytes } }),
    buffer: (length) => ({ data: { bytes: new Uint8Array(length) } }),
    vector: (items) => {
      const blocks = items.map((item) => (typeof item === "string" ? string(item) : item));
      const pointers = blocks.map(({ data }, i) => ({ offset: i * 8, to: data }));
      return { data: { bytes: new Uint8Array((items.length + 1) * 8), pointers } };
    },
    struct: (bytes, pointers) => {
      const places = Object.entries(pointers).map(([offset, to]) => ({ offset: Number(offset), to: to.data }));
      return { data: { bytes, pointers: places } };
    },
  };
}

function opAppender(title: string): OpAppender {
  const ops: Op[] = [];
  const fds: string[] = [];
  const descriptors = new Set<number>();
  let slots = 0;
  let marks = 0;
  /** Slots of scopes count down from the last, so that none was ever a descriptor's, which would be closed by being saved to. */
  let scopes = 0;
  let last: number = wire.MAX_SLOTS;
  return {
    add: (op) => void ops.push(op),
    syscall: (label, call, args, options) => {
      const replace = options?.save !== undefined && descriptors.has(options.save);
      ops.push({ kind: "syscall", label, call, args, ...options, ...(replace ? { replace } : {}) });
    },
    slot: () => (scopes > 0 ? --last : slots++),
    scoped: (steps) => {
      const before = last;
      scopes += 1;
      steps();
      scopes -= 1;
      last = before;
    },
    descriptor: () => {
      descriptors.add(slots);
      return slots++;
    },
    mark: (name) => `${name} #${++marks}`,
    here: (name) => void ops.push({ kind: "mark", name }),
    fd: (name) => {
      if (!fds.includes(name)) fds.push(name);
      return { fd: name };
    },
    finish: () => ({ title, ops: [...ops], fds: [...fds] }),
  };
}

function fork(plan: OpAppender, label: string, flags: number, child: () => void): number {
  const pid = plan.slot();
  const inChild = plan.mark(`${label}: child`);
  const after = plan.mark(`${label}: parent`);
  // clone(2): without CLONE_VM a stack of 0 means the same stack, copied.
  plan.syscall(label, "clone", [flags | SIGCHLD, 0, 0, 0, 0], { save: pid, onZero: inChild });
  plan.add({ kind: "jump", to: after });
  plan.here(inChild);
  child();
  plan.add({ kind: "exit", code: 0 });
  plan.here(after);
  return pid;
}

function pipe(plan: OpAppender, data: DataMaker, label: string): { readonly read: number; readonly write: number } {
  const ends = data.buffer(8);
  const [read, write] = [plan.slot(), plan.slot()];
  plan.syscall(label, "pipe2", [ends, O_CLOEXEC]);
  plan.add({ kind: "load", slot: read, from: ends.data, offset: 0, width: 4 });
  plan.add({ kind: "load", slot: write, from: ends.data, offset: 4, width: 4 });
  return { read, write };
}

function waitForSuccess(plan: OpAppender, data: DataMaker, label: string, slot: number): void {
  const status = data.buffer(4);
  plan.syscall(`wait for ${label}`, "wait4", [{ slot }, status, __WALL, 0]);
  plan.add({ kind: "expectSuccess", label, status: status.data });
}
