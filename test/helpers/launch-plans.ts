/** Launch plans of one busybox command, as whoever runs the tests. */
import { readFileSync } from "node:fs";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
  O_CLOEXEC,
} from "../../ffi/constants.ts";
import { memfdCreate, pipe2 } from "../../ffi/libc.ts";
import { defaultIdMap } from "../../src/host/id-map.ts";
import { readHostFacts } from "../../src/host/read-facts.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../../src/launch/plan.ts";
import { cloneWithUserNamespace } from "../../src/launch/userns.ts";
import type { IdMap } from "../../src/oci/runtime.ts";

export const allNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP;

/** Append: become `busybox ARGS…`. */
export function executeBusybox(plan: PlanBuilder, args: readonly string[]): void {
  const argv = plan.vector(["busybox", ...args]);
  plan.syscall("execute busybox", "execve", [plan.string("/bin/busybox"), argv, plan.vector(["PATH=/bin:/usr/bin"])]);
}

export interface BoxPlanSettings {
  readonly map?: IdMap;
  readonly flags?: number;
  /** Descriptors that the plan names. */
  readonly fds?: readonly string[];
  readonly tied?: boolean;
}

/** A plan that clones namespaces, maps ids, and supervises what `child` makes of the child. */
export function boxPlan(child: (plan: PlanBuilder) => void, settings: BoxPlanSettings = {}): LaunchPlan {
  const host = readHostFacts(process.env);
  const plan = beginPlan("test box");
  for (const name of settings.fds ?? []) plan.fd(name);
  const { map = defaultIdMap(host), flags = allNamespaces } = settings;
  const slot = cloneWithUserNamespace(plan, { label: "create the namespaces", flags, map, host }, () => child(plan));
  plan.add({ kind: "report", event: "started", slot });
  plan.add({ kind: "supervise", slot, tied: settings.tied ?? true });
  return plan.finish();
}

/** A plan that forks without any namespace and supervises the child. */
export function forkPlan(child: (plan: PlanBuilder) => void, fds: readonly string[] = []): LaunchPlan {
  const plan = beginPlan("test fork");
  for (const name of fds) plan.fd(name);
  const slot = plan.fork("start the child", 0, () => child(plan));
  plan.add({ kind: "supervise", slot, tied: true });
  return plan.finish();
}

/** A file in memory for a program to write its output to. */
export function outputFile(): { readonly fd: number; text(): string } {
  const fd = memfdCreate("output");
  return { fd, text: () => readFileSync(`/proc/self/fd/${fd}`, "utf8") };
}

/** A pipe whose reading end tells when all holders of its writing end are gone. */
export function pipe(): { readonly read: number; readonly write: number } {
  const [read, write] = pipe2(O_CLOEXEC);
  return { read, write };
}

/** Read from a pipe until what has come fits; fails when it ends before. */
export async function readUntil(fd: number, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of Bun.file(fd).stream()) {
    text += decoder.decode(chunk, { stream: true });
    if (pattern.test(text)) return text;
  }
  throw new Error(`the pipe ended without ${pattern}: ${JSON.stringify(text)}`);
}
