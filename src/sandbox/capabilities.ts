/**
 * Linux capabilities (capabilities(7)): docker's default set, what `--cap-add` and `--cap-drop` make of it,
 * and the five sets that a process of the box starts with.
 */
import { DevboxError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { attainableSets } from "../oci/capability-sets.ts";
import type { Capabilities } from "../oci/runtime.ts";
import { type CapabilityName, capabilityNames } from "../oci/runtime-words.ts";

/** What a box has unless told otherwise: docker's set (moby, daemon/pkg/oci/caps/defaults.go). */
export const defaultCapabilities: readonly CapabilityName[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

function isCapability(name: string): name is CapabilityName {
  return capabilityNames.some((each) => each === name);
}

/** The bit of a capability in a set; throws BAD_CONFIG for a name that is none (config.json of others). */
export function capabilityNumber(name: string): number {
  if (!isCapability(name)) {
    throw new DevboxError("BAD_CONFIG", { step: "read the capabilities", because: `no capability is named ${name}` });
  }
  return capabilityNames.indexOf(name);
}

/** The set as the 64 bits that capset(2) takes in two halves, and /proc/PID/status shows. */
export function capabilityMask(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNumber(name))), 0n);
}

/** `net_admin`, `CAP_NET_ADMIN`, `all` as users write them → `CAP_NET_ADMIN`, `ALL`; USAGE names the nearest for others. */
export function parseCapability(flag: "--cap-add" | "--cap-drop", text: string): CapabilityName | "ALL" {
  const upper = text.trim().toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (isCapability(name)) return name;
  const guess = nearest(name, capabilityNames);
  throw new DevboxError("USAGE", {
    step: `read ${flag} ${text}`,
    because: "there is no such capability",
    hint: guess === undefined ? "capabilities(7) lists them; ALL means all of them" : `did you mean ${guess.slice(4)}?`,
  });
}

export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** Highest capability that the kernel knows: /proc/sys/kernel/cap_last_cap. Left out: all of the table. */
  readonly last?: number;
}

/**
 * The bounding set of a box, by docker's rules: `--privileged` has all, whatever else is asked; adding ALL has all but
 * what is dropped; dropping ALL has only what is added; else the default set, less what is dropped, more what is added.
 */
export function grantedCapabilities(request: CapabilityRequest): readonly CapabilityName[] {
  const add = request.add.map((text) => parseCapability("--cap-add", text));
  const drop = new Set(request.drop.map((text) => parseCapability("--cap-drop", text)));
  const known = capabilityNames.slice(0, (request.last ?? capabilityNames.length) + 1);
  if (request.privileged) return known;
  if (add.includes("ALL")) return known.filter((name) => !drop.has(name));
  const kept = drop.has("ALL") ? [] : defaultCapabilities.filter((name) => !drop.has(name));
  const granted = new Set<CapabilityName | "ALL">([...kept, ...add]);
  return known.filter((name) => granted.has(name));
}

/**
 * The five sets of the first process. Root has them all in effect. Another user has none in effect and none permitted,
 * as after an execve(2) by that user: only a file with capabilities or the setuid bit gets at the bounding set (moby
 * does the same since 20.10). Inheritable stays empty: CVE-2022-24769.
 */
export function capabilitySets(granted: readonly string[], uid: number): Capabilities {
  const held = uid === 0 ? granted : [];
  return { bounding: granted, effective: held, permitted: held, inheritable: [], ambient: [] };
}

/**
 * What of the sets can be given by who holds only `held` (a bit each): the rest is left out, and no error (runtime-spec config.md
 * "Linux Process").
 */
export function withinReach(asked: Capabilities, held: bigint): Capabilities {
  const reached = (names: readonly string[]): readonly string[] =>
    names.filter((name) => (held >> BigInt(capabilityNumber(name))) & 1n);
  return attainableSets({
    ...asked,
    bounding: reached(asked.bounding),
    permitted: reached(asked.permitted),
    inheritable: reached(asked.inheritable),
  });
}
