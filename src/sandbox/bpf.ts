/**
 * An assembler for classic BPF as seccomp(2) takes it: `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }`.
 *
 * Programs are written back to front: jumps only go forward, so when an instruction is emitted its targets exist already
 * and its offsets are known. No labels to patch, one pass.
 */

/** An instruction that exists already: how many were emitted before it. */
export type Label = number;

export interface Program {
  /** Two words an instruction (k, then code and offsets), all back to front. */
  readonly words: number[];
  /** Returned value → the newest `return` of it, to be jumped to again. */
  readonly returns: Map<number, Label>;
}

// linux/bpf_common.h: class | size or operation | mode or source
const BPF_LD_W_ABS = 0x20;
const BPF_ALU_AND_K = 0x54;
const BPF_JMP_JA = 0x05;
const BPF_RET_K = 0x06;

/** Conditional jumps compare the accumulator with a constant; unsigned, 32 bits. */
export const jumpIf = { equal: 0x15, greater: 0x25, greaterOrEqual: 0x35 } as const;

const longestJump = 255;

export function newProgram(): Program {
  return { words: [], returns: new Map() };
}

function emit(program: Program, code: number, k: number): Label {
  return program.words.push(k, code) / 2 - 1;
}

/** accumulator = 32 bits of struct seccomp_data at `offset`; then `next`. */
export function load(program: Program, offset: number, next: Label): Label {
  fallInto(program, next);
  return emit(program, BPF_LD_W_ABS, offset);
}

/** accumulator &= mask; then `next`. */
export function and(program: Program, mask: number, next: Label): Label {
  fallInto(program, next);
  return emit(program, BPF_ALU_AND_K, mask);
}

/** What is emitted now goes on with what was emitted last: make that `next`. */
function fallInto(program: Program, next: Label): void {
  const far = distance(program, next);
  if (far > 0) emit(program, BPF_JMP_JA, far);
}

/** Ends the filter with `value`; an earlier return of the same value is taken while it is in reach. */
export function returns(program: Program, value: number): Label {
  const known = program.returns.get(value);
  if (known !== undefined && distance(program, known) < longestJump) return known;
  const label = emit(program, BPF_RET_K, value);
  program.returns.set(value, label);
  return label;
}

/** Goes to `yes` or `no` by comparing the accumulator with `k`. */
export function branch(program: Program, code: number, k: number, yes: Label, no: Label): Label {
  if (yes === no) return yes;
  // A stepping stone for `no` moves `yes` one further away: that one is kept in hand.
  const nearYes = near(program, yes, longestJump - 1);
  const nearNo = near(program, no, longestJump);
  return emit(program, code | (distance(program, nearYes) << 16) | (distance(program, nearNo) << 24), k);
}

/** Instructions between the one to be emitted next and `to`. */
function distance(program: Program, to: Label): number {
  return program.words.length / 2 - 1 - to;
}

/** `to`, or a stepping stone to it: conditional offsets have 8 bits. A far return is repeated, other places are jumped to. */
function near(program: Program, to: Label, reach: number): Label {
  const far = distance(program, to);
  if (far <= reach) return to;
  if (program.words[to * 2 + 1] === BPF_RET_K) return returns(program, program.words[to * 2] ?? 0);
  return emit(program, BPF_JMP_JA, far);
}

/** The bytes for struct sock_fprog, in the byte order of x86_64 and aarch64; it starts with what was emitted last. */
export function assemble(program: Program): Uint8Array {
  return new Uint8Array(Uint32Array.from(program.words.toReversed()).buffer);
}
