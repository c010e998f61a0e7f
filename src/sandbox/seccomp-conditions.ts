/** Comparisons of a system call's arguments, which have 64 bits, by BPF, which has 32 (seccomp(2)). */
import { DevboxError } from "../core/errors.ts";
import type { Integer64, SeccompArgument } from "../oci/runtime.ts";
import { infinity64 } from "../oci/runtime-words.ts";
import { and, branch, jumpIf, type Label, load, type Program } from "./bpf.ts";

/** One comparison, its number split in halves. */
export interface Condition {
  readonly index: number;
  readonly op: SeccompArgument["op"];
  readonly high: number;
  readonly low: number;
  /** For SCMP_CMP_MASKED_EQ: (argument & mask) is compared. */
  readonly maskHigh: number;
  readonly maskLow: number;
}

const argumentCount = 6;
/** Offset of args[0] in struct seccomp_data; each has 8 bytes, little-endian on all our architectures. */
const firstArgument = 16;

/** Splits and checks; BAD_CONFIG names the call. MASKED_EQ has its mask in `value` (runtime-spec config-linux.md "Seccomp"). */
export function toCondition(name: string, { index, op, value, valueTwo = 0 }: SeccompArgument): Condition {
  if (!Number.isInteger(index) || index < 0 || index >= argumentCount) {
    throw new DevboxError("BAD_CONFIG", {
      step: `compile the seccomp rule of ${name}`,
      because: `a system call has no argument ${index}`,
    });
  }
  const [high, low] = halves(name, value);
  if (op !== "SCMP_CMP_MASKED_EQ") return { index, op, high, low, maskHigh: 0, maskLow: 0 };
  const [wantedHigh, wantedLow] = halves(name, valueTwo);
  return { index, op, high: wantedHigh, low: wantedLow, maskHigh: high, maskLow: low };
}

function halves(name: string, value: Integer64): readonly [high: number, low: number] {
  const isInteger = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isInteger || value < 0 || value > infinity64) {
    throw new DevboxError("BAD_CONFIG", {
      step: `compile the seccomp rule of ${name}`,
      because: `${value} is not a number of 64 bits`,
    });
  }
  const bits = BigInt(value);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

/** Code that goes to `yes` where the condition holds, else to `no`. */
export function test(program: Program, condition: Condition, yes: Label, no: Label): Label {
  switch (condition.op) {
    case "SCMP_CMP_EQ":
      return equal(program, condition, yes, no);
    case "SCMP_CMP_NE":
      return equal(program, condition, no, yes);
    case "SCMP_CMP_MASKED_EQ":
      return maskedEqual(program, condition, yes, no);
    case "SCMP_CMP_GE":
      return above(program, jumpIf.greaterOrEqual, condition, yes, no);
    case "SCMP_CMP_GT":
      return above(program, jumpIf.greater, condition, yes, no);
    case "SCMP_CMP_LT":
      return above(program, jumpIf.greaterOrEqual, condition, no, yes);
    case "SCMP_CMP_LE":
      return above(program, jumpIf.greater, condition, no, yes);
  }
}

function lowOffset({ index }: Condition): number {
  return firstArgument + index * 8;
}

function equal(program: Program, condition: Condition, yes: Label, no: Label): Label {
  const offset = lowOffset(condition);
  const low = load(program, offset, branch(program, jumpIf.equal, condition.low, yes, no));
  return load(program, offset + 4, branch(program, jumpIf.equal, condition.high, low, no));
}

function maskedEqual(program: Program, condition: Condition, yes: Label, no: Label): Label {
  const offset = lowOffset(condition);
  const lowMasked = and(program, condition.maskLow, branch(program, jumpIf.equal, condition.low, yes, no));
  const low = load(program, offset, lowMasked);
  const highMasked = and(program, condition.maskHigh, branch(program, jumpIf.equal, condition.high, low, no));
  return load(program, offset + 4, highMasked);
}

/** Unsigned >= or > of 64 bits: the high halves decide unless they are equal. */
function above(program: Program, lowCode: number, condition: Condition, yes: Label, no: Label): Label {
  const offset = lowOffset(condition);
  const low = load(program, offset, branch(program, lowCode, condition.low, yes, no));
  const same = branch(program, jumpIf.equal, condition.high, low, no);
  return load(program, offset + 4, branch(program, jumpIf.greater, condition.high, yes, same));
}
