/** "linux.seccomp" of config.json (runtime-spec config-linux.md "Seccomp"). */
import {
  expected,
  fail,
  type JsonPlace,
  member,
  optional,
  readArray,
  readInteger,
  readInteger64,
  readOneOf,
  readString,
} from "./json.ts";
import { absolutePath, optionalText } from "./parse-runtime-texts.ts";
import type { Seccomp, SeccompAction, SeccompArgument, SeccompRule } from "./runtime.ts";
import { infinity64, seccompActions, seccompArchitectures, seccompFlags, seccompOperators } from "./runtime-words.ts";

export function readSeccomp(place: JsonPlace): Seccomp {
  const seccomp: Seccomp = {
    defaultAction: readOneOf(member(place, "defaultAction"), seccompActions),
    ...optional(place, "defaultErrnoRet", readErrno),
    ...optional(place, "architectures", (names) => readArray(names, (name) => readOneOf(name, seccompArchitectures))),
    ...optional(place, "flags", (flags) => readArray(flags, (flag) => readOneOf(flag, seccompFlags))),
    ...optional(place, "syscalls", (rules) => readArray(rules, readRule)),
    ...optionalText(place, "listenerPath", absolutePath),
    ...optionalText(place, "listenerMetadata", readString),
  };
  checkErrno(place, "defaultErrnoRet", seccomp.defaultAction, seccomp.defaultErrnoRet);
  checkListener(place, seccomp);
  return seccomp;
}

/** 16 bits of data go with an action (seccomp(2)); which numbers an error may have, `checkErrno` knows. */
function readErrno(place: JsonPlace): number {
  return readInteger(place, 0, 0xffff);
}

/** MAX_ERRNO of the kernel, which makes larger ones this (seccomp(2), SECCOMP_RET_ERRNO). */
const maxErrno = 4095;

function checkErrno(place: JsonPlace, key: string, action: SeccompAction, errno: number | undefined): void {
  if (errno === undefined || action === "SCMP_ACT_TRACE") return;
  const inner = member(place, key);
  if (action !== "SCMP_ACT_ERRNO") fail(inner, `${action} takes no errno`);
  if (errno > maxErrno) expected(inner, `an integer from 0 to ${maxErrno}`);
}

function checkListener(
  place: JsonPlace,
  { defaultAction, syscalls = [], listenerPath, listenerMetadata }: Seccomp,
): void {
  if (listenerPath !== undefined) return;
  if (listenerMetadata !== undefined) fail(member(place, "listenerMetadata"), "it needs listenerPath beside it");
  if (defaultAction === "SCMP_ACT_NOTIFY" || syscalls.some(({ action }) => action === "SCMP_ACT_NOTIFY")) {
    fail(member(place, "listenerPath"), "SCMP_ACT_NOTIFY needs it");
  }
}

function readRule(place: JsonPlace): SeccompRule {
  const rule: SeccompRule = {
    names: readNames(member(place, "names")),
    action: readOneOf(member(place, "action"), seccompActions),
    ...optional(place, "errnoRet", readErrno),
    ...optional(place, "args", (args) => readArray(args, readSeccompArgument)),
  };
  checkErrno(place, "errnoRet", rule.action, rule.errnoRet);
  return rule;
}

function readNames(place: JsonPlace): readonly string[] {
  const names = readArray(place, readString);
  return names.length > 0 ? names : fail(place, "expected names of system calls, got an empty list");
}

/** The condition of a rule; profiles have the same. */
export function readSeccompArgument(place: JsonPlace): SeccompArgument {
  const readUint64 = (value: JsonPlace) => readInteger64(value, 0n, infinity64);
  return {
    index: readInteger(member(place, "index"), 0, 5),
    value: readUint64(member(place, "value")),
    ...optional(place, "valueTwo", readUint64),
    op: readOneOf(member(place, "op"), seccompOperators),
  };
}
