/**
 * The seccomp compiler: rules of config.json (runtime-spec config-linux.md "Seccomp") → a classic BPF program.
 *
 * Of several rules for one call the first that matches decides. Nothing but the architecture and the number is loaded
 * for calls whose rules look at no argument, so that the kernel's cache of such answers takes them (since 5.11).
 */
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from "../../ffi/constants.ts";
import type { Architecture, SyscallName } from "../../ffi/syscalls.ts";
import type { Seccomp } from "../oci/runtime.ts";
import type { SeccompFlag } from "../oci/runtime-words.ts";
import { and, assemble, branch, jumpIf, type Label, load, newProgram, type Program, returns } from "./bpf.ts";
import { type Abi, auditArch, coveredAbis, enter, type NumberTable, newTable, x32Bit } from "./seccomp-abi.ts";
import { test } from "./seccomp-conditions.ts";
import {
  badSeccomp,
  type Clause,
  noSuchCall,
  notifies,
  type Policy,
  refuseObstacles,
  SECCOMP_RET_KILL_PROCESS,
  toPolicy,
} from "./seccomp-rules.ts";

export interface SeccompFilter {
  /** `struct sock_filter[]`, at most 4096 of 8 bytes. */
  readonly instructions: Uint8Array;
  /** For seccomp(2) SECCOMP_SET_MODE_FILTER: SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
}

const filterFlags: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/** BPF_MAXINSNS, linux/bpf_common.h. */
const maxInstructions = 4096;

// struct seccomp_data
const numberOffset = 0;
const archOffset = 4;

/** A filter under construction. Tables share the code of clauses: arguments lie at the same place in all of them. */
interface Output {
  readonly program: Program;
  readonly chains: Map<readonly Clause[], Label>;
}

/**
 * Compiles a filter for the kernel of `architecture`, under which `needed` must still be possible. BAD_CONFIG for what cannot be:
 * unknown flags, too many rules, obstacles.
 */
export function compileFilter(
  seccomp: Seccomp,
  architecture: Architecture,
  needed: readonly SyscallName[] = [],
): SeccompFilter {
  const flags = compileFlags(seccomp);
  const policy = toPolicy(seccomp);
  refuseObstacles(policy, needed);
  const output: Output = { program: newProgram(), chains: new Map() };
  const tables = coveredAbis(seccomp.architectures ?? [], architecture).map((abi) => newTable<Verdict>(abi));
  enterAll(tables, policy);
  // The native table is emitted last: it stands first, nearest to the start.
  const trees = new Map(tables.toReversed().map((table) => [table.abi, numberTree(output, policy, table)]));
  dispatch(output.program, architecture, trees);
  const instructions = assemble(output.program);
  if (instructions.length / 8 > maxInstructions) {
    throw badSeccomp(`it needs ${instructions.length / 8} instructions; the kernel takes ${maxInstructions}`);
  }
  return { instructions, flags };
}

/**
 * Without flags, SPEC_ALLOW: the filter is no reason to slow the box down by speculation barriers, as in runc. With a listener
 * TSYNC must not answer by a thread id (seccomp(2)); without one there is nothing that could be waited for.
 */
function compileFlags(seccomp: Seccomp): number {
  const { flags: names = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"] } = seccomp;
  const flags = names.reduce((sum, name) => {
    if (isFlag(name)) return sum | filterFlags[name];
    throw badSeccomp(`the flag ${name} is not supported`);
  }, 0);
  if (!notifies(seccomp)) return flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  const synchronized = (flags & SECCOMP_FILTER_FLAG_TSYNC) === 0 ? 0 : SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
  return flags | synchronized | SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

function isFlag(name: string): name is SeccompFlag {
  return Object.hasOwn(filterFlags, name);
}

/** A value to return, or clauses to try. */
type Verdict = number | readonly Clause[];

function enterAll(tables: readonly NumberTable<Verdict>[], { conditional, constants }: Policy): void {
  for (const [name, clauses] of conditional) enter<Verdict>(tables, name, clauses);
  for (const { names, value } of constants) for (const name of names) enter<Verdict>(tables, name, value);
}

/** Numbers from `start` up to the next range have one verdict. */
interface Range {
  readonly start: number;
  readonly verdict: Verdict;
}

/** The first range starts at 0, the last one has no end. */
function toRanges({ entries }: NumberTable<Verdict>, { fallback, unknown }: Policy): readonly Range[] {
  const newest = entries.length - 1;
  const ranges: Range[] = [];
  let last: Verdict | undefined;
  for (let start = 0; start <= newest; start++) {
    const verdict = entries[start] ?? fallback;
    if (verdict !== last) ranges.push({ start, verdict });
    last = verdict;
  }
  ranges.push({ start: newest + 1, verdict: newest === -1 ? fallback : unknown });
  return ranges;
}

/** The code that finds the verdict for the number in the accumulator in one table: a binary search over ranges. */
function numberTree(output: Output, policy: Policy, table: NumberTable<Verdict>): Label {
  const ranges = toRanges(table, policy);
  for (const { verdict } of ranges) if (typeof verdict !== "number") clauseChain(output, verdict);
  const search = (from: number, to: number): Label => {
    const middle = (from + to + 1) >> 1;
    const range = ranges[middle];
    if (range === undefined || from === to) return answer(output, range?.verdict ?? policy.fallback);
    const upper = search(middle, to);
    const lower = search(from, middle - 1);
    return branch(output.program, jumpIf.greaterOrEqual, range.start, upper, lower);
  };
  return search(0, ranges.length - 1);
}

function answer(output: Output, verdict: Verdict): Label {
  return typeof verdict === "number" ? returns(output.program, verdict) : clauseChain(output, verdict);
}

/** Code that tries clauses one after the other; the last one has no conditions. */
function clauseChain({ program, chains }: Output, clauses: readonly Clause[]): Label {
  const known = chains.get(clauses);
  if (known !== undefined) return known;
  let otherwise = -1;
  for (const { conditions, value } of clauses.toReversed()) {
    let label = returns(program, value);
    for (const condition of conditions.toReversed()) label = test(program, condition, label, otherwise);
    otherwise = label;
  }
  chains.set(clauses, otherwise);
  return otherwise;
}

/** The start of the program: which table is it? An unknown architecture ends the process, as with libseccomp. */
function dispatch(program: Program, native: Architecture, trees: ReadonlyMap<Abi, Label>): void {
  let foreign = returns(program, SECCOMP_RET_KILL_PROCESS);
  const i386 = trees.get("i386");
  if (i386 !== undefined) {
    foreign = branch(program, jumpIf.equal, auditArch.i386, load(program, numberOffset, i386), foreign);
  }
  let tree = trees.get(native) ?? foreign;
  if (native === "x86_64") tree = branch(program, jumpIf.greaterOrEqual, x32Bit, x32Tree(program, trees), tree);
  const start = branch(program, jumpIf.equal, auditArch[native], load(program, numberOffset, tree), foreign);
  load(program, archOffset, start);
}

/** A kernel without x32 answers its numbers with ENOSYS: so does a filter that does not cover it. */
function x32Tree(program: Program, trees: ReadonlyMap<Abi, Label>): Label {
  const tree = trees.get("x32");
  return tree === undefined ? returns(program, noSuchCall()) : and(program, ~x32Bit >>> 0, tree);
}
