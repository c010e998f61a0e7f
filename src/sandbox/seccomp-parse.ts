/**
 * Profiles of `--security-opt seccomp=FILE`: docker's shape (rules that depend on capabilities, architecture and kernel)
 * or the plain one of config.json. Every complaint names its place: `syscalls[3].args[0].op: expected …`.
 */
import type { Architecture } from "../../ffi/syscalls.ts";
import {
  expected,
  fail,
  isAbsent,
  type JsonPlace,
  member,
  optional,
  readArray,
  readInteger,
  readOneOf,
  readString,
  readStrings,
} from "../oci/json.ts";
import { readSeccompArgument } from "../oci/parse-runtime-seccomp.ts";
import type { Seccomp, SeccompRule } from "../oci/runtime.ts";
import { seccompActions } from "../oci/runtime-words.ts";
import type { SeccompEnvironment } from "./seccomp-profile.ts";

/** What a profile's conditions are held against. */
export interface ProfileEnvironment extends SeccompEnvironment {
  /** Release of the running kernel as uname(2) gives it: `6.1.0-18-amd64`. */
  readonly kernel: string;
}

/** How profiles name our architectures, in `archMap` and in `includes.arches`. */
const archNames: Readonly<Record<Architecture, { readonly scmp: string; readonly plain: string }>> = {
  x86_64: { scmp: "SCMP_ARCH_X86_64", plain: "amd64" },
  aarch64: { scmp: "SCMP_ARCH_AARCH64", plain: "arm64" },
};

const maxErrno = 4095;

/** Reads a profile (already decoded JSON) and keeps the rules that apply here. BAD_CONFIG for what is malformed. */
export function parseSeccompProfile(json: unknown, environment: ProfileEnvironment): Seccomp {
  const document = { code: "BAD_CONFIG", step: "read the seccomp profile" } as const;
  const place: JsonPlace = { value: json, path: "", document };
  const architectures = readArchitectures(place, environment);
  const rules = optional(place, "syscalls", (each) => readArray(each, (rule) => readRule(rule, environment)));
  return {
    defaultAction: readOneOf(member(place, "defaultAction"), seccompActions),
    ...optional(place, "defaultErrnoRet", readErrno),
    ...(architectures === undefined ? {} : { architectures }),
    ...optional(place, "flags", readStrings),
    syscalls: (rules.syscalls ?? []).filter((rule) => rule !== undefined),
  };
}

function readArchitectures(place: JsonPlace, { architecture }: ProfileEnvironment): readonly string[] | undefined {
  const { architectures } = optional(place, "architectures", readStrings);
  const { archMap } = optional(place, "archMap", (each) => readArray(each, readArchMapEntry));
  if (archMap === undefined) return architectures;
  if ((architectures ?? []).length > 0) fail(place, "it has both architectures and archMap; one of them is enough");
  const native = archNames[architecture].scmp;
  return archMap.find(([first]) => first === native) ?? [native];
}

function readArchMapEntry(place: JsonPlace): readonly string[] {
  const { subArchitectures = [] } = optional(place, "subArchitectures", readStrings);
  return [readString(member(place, "architecture")), ...subArchitectures];
}

/** The rule, or undefined where its conditions do not hold. It is read whole either way: a profile is right or wrong. */
function readRule(place: JsonPlace, environment: ProfileEnvironment): SeccompRule | undefined {
  const rule: SeccompRule = {
    names: readNames(place),
    action: readOneOf(member(place, "action"), seccompActions),
    ...optional(place, "errnoRet", readErrno),
    ...optional(place, "args", (each) => readArray(each, readSeccompArgument)),
  };
  const includes = readCondition(member(place, "includes"), environment);
  const excludes = readCondition(member(place, "excludes"), environment);
  const included = includes.every((parts) => parts.every((holds) => holds));
  const excluded = excludes.some((parts) => parts.some((holds) => holds));
  return included && !excluded ? rule : undefined;
}

function readNames(place: JsonPlace): readonly string[] {
  // The form with a single `name` is older; docker still takes it.
  const { name } = optional(place, "name", readString);
  const { names } = optional(place, "names", readStrings);
  if (name !== undefined && (names ?? []).length > 0) fail(place, "it has both name and names; one of them is enough");
  if (names !== undefined) return names;
  return name === undefined ? expected(member(place, "names"), "a list of system calls") : [name];
}

/** Of each part of a condition that is there (capabilities, architectures, kernel): which of its values hold here. */
function readCondition(place: JsonPlace, environment: ProfileEnvironment): readonly (readonly boolean[])[] {
  if (isAbsent(place)) return [];
  const { caps = [] } = optional(place, "caps", readStrings);
  const { arches = [] } = optional(place, "arches", readStrings);
  const { minKernel } = optional(place, "minKernel", readKernel);
  const parts: boolean[][] = [caps.map((name) => environment.capabilities.includes(name))];
  if (arches.length > 0) parts.push([arches.includes(archNames[environment.architecture].plain)]);
  if (minKernel !== undefined) parts.push([isAtLeast(environment.kernel, minKernel)]);
  return parts;
}

function readKernel(place: JsonPlace): readonly [number, number] {
  const match = /^(\d+)\.(\d+)$/.exec(readString(place));
  return match === null ? expected(place, "a kernel version such as 4.8") : [Number(match[1]), Number(match[2])];
}

function isAtLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release);
  const ours = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)] as const;
  return ours[0] > major || (ours[0] === major && ours[1] >= minor);
}

function readErrno(place: JsonPlace): number {
  return readInteger(place, 0, maxErrno);
}
