/**
 * Rules about devices as an eBPF program of type cgroup device (linux/bpf.h, struct bpf_cgroup_dev_ctx): version 2's way. Pure.
 *
 * The kernel asks with type, major, minor and the bits of access that are wanted. The program goes through the rules from the
 * last to the first, and keeps in r3 the bits that no rule has answered yet: so every bit is answered by the last rule about it,
 * as if the rules were applied in order. A request is allowed when all its bits are.
 */
import { allAccess, isAboutAll, type UniformRule } from "./device-rules.ts";

/** struct bpf_insn (8 bytes) before encoding. */
interface Instruction {
  readonly code: number;
  readonly to?: number;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
}

// linux/bpf_common.h, linux/bpf.h: class | size or operation | source
const LDX_W = 0x61;
const AND32_K = 0x54;
const RSH32_K = 0x74;
const MOV64_X = 0xbf;
const MOV64_K = 0xb7;
const JA = 0x05;
const JNE_K = 0x55;
const JSET_K = 0x45;
const EXIT = 0x95;

/** BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_DEV_CHAR. */
const deviceTypes = { b: 1, c: 2 } as const;

/** r2: type, r3: access that is not answered yet, r4: major, r5: minor. */
const prologue: readonly Instruction[] = [
  { code: LDX_W, to: 2, from: 1, offset: 0 },
  { code: MOV64_X, to: 3, from: 2 },
  { code: AND32_K, to: 2, value: 0xffff },
  { code: RSH32_K, to: 3, value: 16 },
  { code: LDX_W, to: 4, from: 1, offset: 4 },
  { code: LDX_W, to: 5, from: 1, offset: 8 },
];

/** The kernel's device numbers have 12 and 20 bits (dev_t): a rule about a greater one is about no device. */
const limits = { major: 2 ** 12, minor: 2 ** 20 } as const;

/** The program, as bytes for BPF_PROG_LOAD. What no rule is about is denied. */
export function compileDeviceProgram(rules: readonly UniformRule[]): Uint8Array {
  const program = [...prologue];
  let isOpen = true;
  for (const rule of rules.toReversed()) {
    if ((rule.major ?? 0) >= limits.major || (rule.minor ?? 0) >= limits.minor) continue;
    program.push(...block(rule));
    // The verifier refuses code that cannot be reached.
    if (isAboutAll(rule)) {
      isOpen = false;
      break;
    }
  }
  if (isOpen) program.push(...answer(false));
  return encode(program);
}

function answer(allow: boolean): readonly Instruction[] {
  return [{ code: MOV64_K, to: 0, value: allow ? 1 : 0 }, { code: EXIT }];
}

/** Conditions jump behind the block where the rule is not about the request. */
function block(rule: UniformRule): readonly Instruction[] {
  const conditions: Instruction[] = [];
  if (rule.type !== undefined) conditions.push({ code: JNE_K, to: 2, value: deviceTypes[rule.type] });
  if (rule.major !== undefined) conditions.push({ code: JNE_K, to: 4, value: rule.major });
  if (rule.minor !== undefined) conditions.push({ code: JNE_K, to: 5, value: rule.minor });
  const body = rule.allow ? allowBits(rule.access) : denyBits(rule.access);
  const length = conditions.length + body.length;
  return [...conditions.map((condition, index) => ({ ...condition, offset: length - index - 1 })), ...body];
}

/** These bits are answered; if none is left, the request is allowed. */
function allowBits(access: number): readonly Instruction[] {
  if (access === allAccess) return answer(true);
  const end = answer(true);
  return [
    { code: AND32_K, to: 3, value: allAccess & ~access },
    { code: JNE_K, to: 3, value: 0, offset: end.length },
    ...end,
  ];
}

/** If one of these bits is not answered yet, the request is denied. */
function denyBits(access: number): readonly Instruction[] {
  if (access === allAccess) return answer(false);
  const end = answer(false);
  return [{ code: JSET_K, to: 3, value: access, offset: 1 }, { code: JA, offset: end.length }, ...end];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, to = 0, from = 0, offset = 0, value = 0 }, index) => {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, to | (from << 4));
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, value, true);
  });
  return bytes;
}
