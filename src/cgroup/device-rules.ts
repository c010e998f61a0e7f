/** Rules about devices (runtime-spec config-linux.md "Allowed Device list") made uniform, with those that every container has. Pure. */
import type { DeviceRule } from "../oci/runtime.ts";
import { badResource } from "./plan.ts";

/** Bits of linux/bpf.h BPF_DEVCG_ACC_*. */
export const accessBits = { m: 1, r: 2, w: 4 } as const;
export const allAccess = 7;

/** undefined stands for all. */
export interface UniformRule {
  readonly allow: boolean;
  readonly type: "b" | "c" | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: number;
  /** For errors. */
  readonly property: string;
}

const always = "the devices that every container has";

function allow(type: "b" | "c", major?: number, minor?: number, access = allAccess): UniformRule {
  return { allow: true, type, major, minor, access, property: always };
}

/**
 * What a container may always use, whatever its rules say: the devices of config-linux.md "Default Devices", and making nodes of
 * any device: only using them needs more. The same that runc and crun allow.
 */
const defaultRules: readonly UniformRule[] = [
  allow("c", undefined, undefined, accessBits.m),
  allow("b", undefined, undefined, accessBits.m),
  allow("c", 1, 3), // null
  allow("c", 1, 5), // zero
  allow("c", 1, 7), // full
  allow("c", 1, 8), // random
  allow("c", 1, 9), // urandom
  allow("c", 5, 0), // tty
  allow("c", 5, 1), // console
  allow("c", 5, 2), // ptmx
  allow("c", 136), // pts
];

/** In order, each bit of access by the last rule that is about it; what no rule is about is denied. */
export function uniformRules(rules: readonly DeviceRule[]): readonly UniformRule[] {
  return [...rules.map(uniformRule), ...defaultRules];
}

function uniformRule(rule: DeviceRule, index: number): UniformRule {
  const property = `linux.resources.devices[${index}]`;
  const { type = "a", access = "rwm" } = rule;
  if (!/^[rwm]+$/.test(access)) {
    throw badResource(`${property}.access`, `it must be made of r, w and m, not ${JSON.stringify(access)}`);
  }
  const letters = ["m", "r", "w"] as const;
  const bits = letters.reduce((sum, letter) => (access.includes(letter) ? sum | accessBits[letter] : sum), 0);
  return {
    allow: rule.allow,
    type: type === "a" ? undefined : type,
    major: orAll(rule.major),
    minor: orAll(rule.minor),
    access: bits,
    property,
  };
}

/** Engines write -1 for all. */
function orAll(number: number | undefined): number | undefined {
  return number === undefined || number < 0 ? undefined : number;
}

/** Whether it is about every device and access, so that no rule before it matters. */
export function isAboutAll({ type, major, minor, access }: UniformRule): boolean {
  return type === undefined && major === undefined && minor === undefined && access === allAccess;
}

/** A write to devices.allow or devices.deny of version 1. */
export interface DeviceWrite {
  readonly file: "devices.allow" | "devices.deny";
  readonly text: string;
  readonly property: string;
}

/**
 * The rules for version 1, which has one answer for all devices and a list of exceptions from it (devices.rst). A rule that
 * would take a part out of an exception cannot be said in it, and the kernel would ignore it silently: it is refused.
 */
export function deviceWrites(rules: readonly UniformRule[]): readonly DeviceWrite[] {
  let base = false;
  let exceptions: readonly UniformRule[] = [];
  for (const rule of rules) {
    if (isAboutAll(rule)) {
      base = rule.allow;
      exceptions = [];
    } else {
      for (const each of byType(rule))
        exceptions = each.allow === base ? without(exceptions, each) : [...exceptions, each];
    }
  }
  const [all, but] = base ? (["devices.allow", "devices.deny"] as const) : (["devices.deny", "devices.allow"] as const);
  return [
    { file: all, text: "a", property: "linux.resources.devices" },
    ...exceptions.map((rule) => ({ file: but, text: exceptionText(rule), property: rule.property })),
  ];
}

/** Version 1 takes `a` for everything, whatever follows: a rule about both types and less than all becomes two. */
function byType(rule: UniformRule): readonly UniformRule[] {
  return rule.type === undefined
    ? [
        { ...rule, type: "b" },
        { ...rule, type: "c" },
      ]
    : [rule];
}

function without(exceptions: readonly UniformRule[], rule: UniformRule): readonly UniformRule[] {
  return exceptions.flatMap((exception) => {
    const overlaps =
      exception.type === rule.type && meet(exception.major, rule.major) && meet(exception.minor, rule.minor);
    if (!overlaps || (exception.access & rule.access) === 0) return [exception];
    if (!covers(rule.major, exception.major) || !covers(rule.minor, exception.minor)) {
      const because = `version 1 of control groups cannot take a part out of ${exceptionText(exception)}`;
      throw badResource(rule.property, because);
    }
    const access = exception.access & ~rule.access;
    return access === 0 ? [] : [{ ...exception, access }];
  });
}

function meet(one: number | undefined, other: number | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

function covers(wide: number | undefined, narrow: number | undefined): boolean {
  return wide === undefined || wide === narrow;
}

function exceptionText({ type, major, minor, access }: UniformRule): string {
  const letters = (["r", "w", "m"] as const).filter((letter) => (access & accessBits[letter]) !== 0).join("");
  return `${type ?? "a"} ${major ?? "*"}:${minor ?? "*"} ${letters}`;
}
