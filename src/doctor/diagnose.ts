/**
 * Doctor: what this machine can, found by doing. Nothing is guessed from versions; nothing is changed, and what a trial
 * makes (a directory in the store, a namespace) is gone when it ends.
 */
import { readFileSync } from "node:fs";
import { DevboxError, describeCause } from "../core/errors.ts";
import type { Finding, Probe, ProbeInput } from "./finding.ts";
import { probeCgroup } from "./probes/cgroup.ts";
import { probeIdmap } from "./probes/idmap.ts";
import { probeKernel } from "./probes/kernel.ts";
import { probeLimits } from "./probes/limits.ts";
import { probeNetwork } from "./probes/network.ts";
import { probeOverlay } from "./probes/overlay.ts";
import { probeSeccomp } from "./probes/seccomp.ts";
import { probeStore } from "./probes/store.ts";
import { probeSubordinateIds } from "./probes/subordinate-ids.ts";
import { probeUserNamespaces } from "./probes/user-namespaces.ts";

/** In the order in which a box needs them. */
const probes: readonly (readonly [name: string, probe: Probe])[] = [
  ["kernel", probeKernel],
  ["user namespaces", probeUserNamespaces],
  ["subordinate ids", probeSubordinateIds],
  ["seccomp", probeSeccomp],
  ["store", probeStore],
  ["overlay", probeOverlay],
  ["idmapped mounts", probeIdmap],
  ["network", probeNetwork],
  ["cgroup delegation", probeCgroup],
  ["file watches", probeLimits],
];

/** Runs all probes side by side; one that breaks is a finding too. */
export async function diagnose(input: ProbeInput): Promise<readonly Finding[]> {
  const found = await Promise.all(probes.map(([name, probe]) => runProbe(name, probe, input)));
  return found.flat();
}

async function runProbe(name: string, probe: Probe, input: ProbeInput): Promise<readonly Finding[]> {
  try {
    return await probe(input);
  } catch (error) {
    const fix = error instanceof DevboxError ? error.hint : "report it, with what devbox doctor --json prints";
    return [{ name, status: "warn", detail: `could not be tried: ${describeCause(error)}`, fix }];
  }
}

/** `ProbeInput.readText` of this machine. */
export function readSystemText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
