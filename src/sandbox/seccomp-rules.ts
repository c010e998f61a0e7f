/** Seccomp rules put in order: from the lists of config.json to what becomes of each call. No code yet. */
import { ENOSYS, EPERM } from "../../ffi/errno.ts";
import type { SyscallName } from "../../ffi/syscalls.ts";
import { DevboxError } from "../core/errors.ts";
import type { Seccomp, SeccompAction, SeccompRule } from "../oci/runtime.ts";
import { type Condition, toCondition } from "./seccomp-conditions.ts";

// linux/seccomp.h
export const SECCOMP_RET_KILL_PROCESS = 0x8000_0000;
const SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
const returnValues: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** One answer to a call, given when all conditions hold. */
export interface Clause {
  readonly conditions: readonly Condition[];
  /** SECCOMP_RET_* with its data. */
  readonly value: number;
}

export interface Policy {
  /** Name → clauses in the order in which they are tried; the last one has no conditions. Goes before `constants`. */
  readonly conditional: ReadonlyMap<string, readonly Clause[]>;
  /** Calls with one answer whatever their arguments; the first that names a call counts. */
  readonly constants: readonly { readonly names: readonly string[]; readonly value: number }[];
  /** For calls that no rule names. */
  readonly fallback: number;
  /** For calls newer than all that the rules name. */
  readonly unknown: number;
}

/** BAD_CONFIG for actions and arguments that cannot be compiled. */
export function toPolicy(seccomp: Seccomp): Policy {
  const fallback = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  return {
    ...sortRules(seccomp.syscalls ?? [], fallback),
    fallback,
    unknown: valueOfUnknown(seccomp.defaultAction, fallback),
  };
}

export function badSeccomp(because: string): DevboxError {
  return new DevboxError("BAD_CONFIG", { step: "compile the seccomp filter", because });
}

function returnValue(action: SeccompAction, errno: number = EPERM): number {
  const value = returnValues[action];
  // For a tracer the low half is a message of its own; the spec fills it from errnoRet too.
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? value + (errno & 0xffff) : value;
}

/** It asks a listener about calls: one must be there. */
export function notifies({ defaultAction, syscalls = [] }: Seccomp): boolean {
  return defaultAction === "SCMP_ACT_NOTIFY" || syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY");
}

/**
 * @throws BAD_CONFIG for a filter under which what follows it cannot be done: `needed` calls must be allowed, whatever their
 * arguments say. write(2) tells of failures, and before the listener is sent nobody would answer (runc refuses that as well).
 */
export function refuseObstacles(policy: Policy, needed: readonly SyscallName[]): void {
  for (const name of needed) {
    if (answersTo(policy, name).some(isAllowed)) continue;
    throw badSeccomp(`it does not allow ${name}, which starting the command takes after the filter is installed`);
  }
  for (const name of [...needed, "write"] as const) {
    if (!answersTo(policy, name).includes(SECCOMP_RET_USER_NOTIF)) continue;
    throw badSeccomp(
      `SCMP_ACT_NOTIFY cannot be used for the ${name} syscall: starting the command takes it before the listener is asked`,
    );
  }
}

function answersTo({ conditional, constants, fallback }: Policy, name: string): readonly number[] {
  const clauses = conditional.get(name);
  if (clauses !== undefined) return clauses.map(({ value }) => value);
  return [constants.find(({ names }) => names.includes(name))?.value ?? fallback];
}

function isAllowed(value: number): boolean {
  return value === returnValues.SCMP_ACT_ALLOW || value === returnValues.SCMP_ACT_LOG;
}

/**
 * Calls newer than every call that the profile names: ENOSYS, so that programs try the older way, as they do not after
 * EPERM. As runc does, and for the same reason only where unnamed calls are refused at all.
 */
function valueOfUnknown(action: SeccompAction, fallback: number): number {
  const permissive = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY"].includes(action);
  return permissive ? fallback : noSuchCall();
}

/** The answer of a kernel that does not have the call. */
export function noSuchCall(): number {
  return returnValue("SCMP_ACT_ERRNO", ENOSYS);
}

/**
 * Parts the few calls with conditions from the hundreds without, which then cost no more than their names: a filter is
 * made at the start of each box. Names that stand in the same rules only share one list, and so the code made of it.
 */
function sortRules(rules: readonly SeccompRule[], fallback: number): Pick<Policy, "conditional" | "constants"> {
  const constants: { names: readonly string[]; value: number }[] = [];
  const conditional = new Map<string, readonly Clause[]>();
  for (const rule of rules) {
    const clauses = clausesOf(rule);
    for (const [name, before] of conditional) {
      if (!isClosed(before) && rule.names.includes(name)) conditional.set(name, [...before, ...clauses]);
    }
    if (isClosed(clauses)) constants.push({ names: rule.names, value: clauses[0]?.value ?? fallback });
    else addNew(conditional, constants, rule.names, clauses);
  }
  return { constants, conditional: closeAll(conditional, fallback) };
}

function addNew(
  conditional: Map<string, readonly Clause[]>,
  constants: Policy["constants"],
  names: readonly string[],
  clauses: readonly Clause[],
): void {
  for (const name of names) {
    if (!conditional.has(name) && !constants.some((rule) => rule.names.includes(name))) conditional.set(name, clauses);
  }
}

function closeAll(calls: ReadonlyMap<string, readonly Clause[]>, fallback: number): Policy["conditional"] {
  const closed = new Map<readonly Clause[], readonly Clause[]>();
  for (const clauses of calls.values()) {
    if (!closed.has(clauses)) closed.set(clauses, [...clauses, { conditions: [], value: fallback }]);
  }
  return new Map(
    [...calls].map(([name, clauses]) => [name, isClosed(clauses) ? clauses : (closed.get(clauses) ?? [])]),
  );
}

/** Something always matches. */
function isClosed(clauses: readonly Clause[]): boolean {
  return clauses.at(-1)?.conditions.length === 0;
}

/** Conditions of one rule hold together, unless two look at the same argument: then each stands alone, as in runc and crun. */
function clausesOf({ names, action, errnoRet, args = [] }: SeccompRule): readonly Clause[] {
  const value = returnValue(action, errnoRet);
  const conditions = args.map((argument) => toCondition(names[0] ?? "no call", argument));
  const distinct = new Set(conditions.map(({ index }) => index)).size === conditions.length;
  return distinct ? [{ conditions, value }] : conditions.map((condition) => ({ conditions: [condition], value }));
}
