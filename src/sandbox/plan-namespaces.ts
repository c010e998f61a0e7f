/**
 * The first half of creating a box: its namespaces, and their id maps. They need nothing of the bundle, so that a box can
 * come into being while its bundle is written. The supervisor stays outside, waits for the box and ends it when devbox
 * dies; the init process, root of its user namespace, goes on with the plan of the box (plan-create.ts).
 */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
} from "../../ffi/constants.ts";
import { planFd } from "../../ffi/launcher/format.ts";
import { DevboxError } from "../core/errors.ts";
import { beginPlan, type LaunchPlan } from "../launch/plan.ts";
import { cloneWithUserNamespace } from "../launch/userns.ts";
import type { Namespace, NamespaceType } from "../oci/runtime.ts";
import type { NamespaceInput } from "./input.ts";

const cloneFlags: Readonly<Record<Exclude<NamespaceType, "user" | "time">, number>> = {
  mount: CLONE_NEWNS,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  network: CLONE_NEWNET,
  cgroup: CLONE_NEWCGROUP,
};

/**
 * The plan that makes the namespaces, and continues in them.
 * @throws DevboxError BAD_CONFIG for what it cannot do: namespaces to join by path, time namespaces, a shared mount namespace
 */
export function planNamespaces({ namespaces, idMap, facts, descriptors }: NamespaceInput): LaunchPlan {
  const plan = beginPlan("make namespaces");
  for (const name of descriptors) plan.fd(name);
  const label = "create the namespaces of the box";
  if (idMap === undefined) {
    throw new DevboxError("BAD_CONFIG", { step: "read linux.namespaces", because: "a user namespace is required" });
  }
  const init = cloneWithUserNamespace(plan, { label, flags: flagsOf(namespaces), map: idMap, host: facts }, () =>
    plan.add({ kind: "continue" }),
  );
  // Only the init process reads on: when it ends before, writing the next plan must not block.
  plan.syscall("leave the plans to the box", "close", [planFd]);
  plan.add({ kind: "report", event: "started", slot: init });
  plan.add({ kind: "supervise", slot: init, tied: true });
  return plan.finish();
}

function flagsOf(namespaces: readonly Namespace[]): number {
  if (!namespaces.some(({ type }) => type === "mount")) {
    const because = "a box without a mount namespace of its own is not supported";
    throw new DevboxError("BAD_CONFIG", { step: "read linux.namespaces", because });
  }
  let flags = 0;
  for (const { type, path } of namespaces) {
    if (path !== undefined || type === "time") {
      const because = path === undefined ? "time namespaces are not supported" : "joining a namespace is not supported";
      throw new DevboxError("BAD_CONFIG", { step: `read linux.namespaces: ${type}`, because });
    }
    if (type !== "user") flags |= cloneFlags[type];
  }
  return flags;
}
