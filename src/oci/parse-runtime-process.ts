/** "process" of config.json (runtime-spec config.md "Process"). */
import { attainableSets, reasonsOfLoss } from "./capability-sets.ts";
import { parseCpuList } from "./cpu-list.ts";
import {
  expected,
  fail,
  isAbsent,
  type JsonPlace,
  member,
  optional,
  readArray,
  readBoolean,
  readInteger,
  readInteger64,
  readOneOf,
  readString,
  readStrings,
} from "./json.ts";
import { absolutePath, optionalText, readEnvironment, readId } from "./parse-runtime-texts.ts";
import type { Capabilities, IoPriority, Rlimit, RuntimeProcess, RuntimeUser, Scheduler } from "./runtime.ts";
import {
  capabilityNames,
  infinity64,
  ioPriorityClasses,
  rlimitTypes,
  schedulerFlags,
  schedulerPolicies,
} from "./runtime-words.ts";

export function readProcess(place: JsonPlace): RuntimeProcess {
  return {
    ...optional(place, "terminal", readBoolean),
    ...optional(place, "consoleSize", readConsoleSize),
    cwd: absolutePath(member(place, "cwd")),
    env: optional(place, "env", readEnvironment).env ?? [],
    args: readArguments(member(place, "args")),
    user: optional(place, "user", readUser).user ?? { uid: 0, gid: 0 },
    ...optional(place, "capabilities", readCapabilities),
    ...optional(place, "rlimits", readRlimits),
    ...optional(place, "noNewPrivileges", readBoolean),
    ...optional(place, "oomScoreAdj", (score) => readInteger(score, -1000, 1000)),
    ...optionalText(place, "apparmorProfile", readString),
    ...optionalText(place, "selinuxLabel", readString),
    ...optional(place, "scheduler", readScheduler),
    ...optional(place, "ioPriority", readIoPriority),
    ...optional(place, "execCPUAffinity", readAffinity),
  };
}

/** struct winsize has 16 bits for each (ioctl_tty(2)). */
function readConsoleSize(place: JsonPlace): { readonly height: number; readonly width: number } {
  const side = (key: string): number => readInteger(member(place, key), 0, 0xffff);
  return { height: side("height"), width: side("width") };
}

/** What fits into a quarter of the usual stack of 8 MiB, as execve(2) has it: a pointer, a letter and a NUL each. */
const maxArguments = 200_000;

function readArguments(place: JsonPlace): string[] {
  const args = isAbsent(place) ? expected(place, "a command") : readArray(place, readString, maxArguments);
  return args.length > 0 ? args : fail(place, "expected a command, got an empty list");
}

/** Left out, an id is 0, as in runc and crun. */
function readUser(place: JsonPlace): RuntimeUser {
  return {
    uid: optional(place, "uid", readId).uid ?? 0,
    gid: optional(place, "gid", readId).gid ?? 0,
    ...optional(place, "umask", (umask) => readInteger(umask, 0, 0o777)),
    ...optional(place, "additionalGids", (gids) => readArray(gids, readId)),
  };
}

/** What cannot be had is left out, with a warning (config.md "Linux Process"). */
function readCapabilities(place: JsonPlace): Capabilities {
  return attainableSets(knownCapabilities(place));
}

function knownCapabilities(place: JsonPlace): Capabilities {
  const set = (key: keyof Capabilities): readonly string[] =>
    (optional(place, key, readStrings)[key] ?? []).filter(isCapability);
  return {
    bounding: set("bounding"),
    effective: set("effective"),
    permitted: set("permitted"),
    inheritable: set("inheritable"),
    ambient: set("ambient"),
  };
}

function isCapability(name: string): boolean {
  return capabilityNames.some((known) => known === name);
}

/** Of a process that was read without complaint. */
export function processWarnings(process: JsonPlace): readonly string[] {
  const place = member(process, "capabilities");
  if (isAbsent(place)) return [];
  const asked = knownCapabilities(place);
  const had = attainableSets(asked);
  const unknown = (Object.keys(asked) as (keyof Capabilities)[]).flatMap((key) =>
    (optional(place, key, readStrings)[key] ?? [])
      .filter((name) => !isCapability(name))
      .map((name) => `${place.path}.${key}: no capability is named ${name}`),
  );
  const lost = (["effective", "inheritable", "ambient"] as const).flatMap((key) =>
    asked[key]
      .filter((name) => !had[key].includes(name))
      .map((name) => `${place.path}.${key}: ${name} is left out: it ${reasonsOfLoss[key]}`),
  );
  return [...unknown, ...lost];
}

function readRlimits(place: JsonPlace): readonly Rlimit[] {
  const limits = readArray(place, readRlimit);
  limits.forEach(({ type }, index) => {
    const first = limits.findIndex((limit) => limit.type === type);
    if (first < index) fail(place, `[${index}] and [${first}] both limit ${type}`);
  });
  return limits;
}

function readRlimit(place: JsonPlace): Rlimit {
  return {
    type: readOneOf(member(place, "type"), rlimitTypes),
    soft: readLimit(member(place, "soft")),
    hard: readLimit(member(place, "hard")),
  };
}

function readLimit(place: JsonPlace): Rlimit["soft"] {
  const limit = readInteger64(place, 0n, infinity64);
  return limit === infinity64 ? "unlimited" : limit;
}

/** Which properties go together is as in sched_setattr(2). */
function readScheduler(place: JsonPlace): Scheduler {
  const policy = readOneOf(member(place, "policy"), schedulerPolicies);
  const time = (inner: JsonPlace) => readInteger64(inner, 0n, infinity64);
  const scheduler: Scheduler = {
    policy,
    ...optional(place, "nice", (nice) => readInteger(nice, -20, 19)),
    ...optional(place, "priority", (priority) => readInteger(priority, 0, 99)),
    ...optional(place, "flags", (flags) => readArray(flags, (flag) => readOneOf(flag, schedulerFlags))),
    ...optional(place, "runtime", time),
    ...optional(place, "deadline", time),
    ...optional(place, "period", time),
  };
  if (policy === "SCHED_ISO") fail(member(place, "policy"), "SCHED_ISO is in no kernel");
  if (scheduler.priority && policy !== "SCHED_FIFO" && policy !== "SCHED_RR") {
    fail(member(place, "priority"), `only SCHED_FIFO and SCHED_RR have one, not ${policy}`);
  }
  for (const key of ["runtime", "deadline", "period"] as const) {
    if (scheduler[key] && policy !== "SCHED_DEADLINE") {
      fail(member(place, key), `only SCHED_DEADLINE has one, not ${policy}`);
    }
  }
  return scheduler;
}

function readIoPriority(place: JsonPlace): IoPriority {
  return {
    class: readOneOf(member(place, "class"), ioPriorityClasses),
    priority: optional(place, "priority", (priority) => readInteger(priority, 0, 7)).priority ?? 0,
  };
}

function readAffinity(place: JsonPlace): NonNullable<RuntimeProcess["execCPUAffinity"]> {
  return { ...optionalText(place, "initial", readCpuList), ...optionalText(place, "final", readCpuList) };
}

/** The text, which is a list of processors. */
export function readCpuList(place: JsonPlace): string {
  const text = readString(place);
  return parseCpuList(text) === undefined ? expected(place, "a list of numbers such as 0-3,7") : text;
}
