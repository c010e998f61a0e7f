/** OCI "kill" (runtime-spec runtime.md "Operations"). */
import { SIGKILL } from "../../ffi/constants.ts";
import { signalCgroup, thaw } from "../cgroup/processes.ts";
import { DevboxError } from "../core/errors.ts";
import { signalProcess } from "../host/process-identity.ts";
import { containerStatus, findContainer, type KnownContainer } from "./container.ts";
import { containerPids, ownsPids } from "./pids.ts";
import { sendSignal } from "./signal.ts";
import { checkTransition } from "./status.ts";

export interface KillRequest {
  readonly root: string;
  readonly id: string;
  readonly signal: number;
  /** Every process of the container, not only its first. */
  readonly all: boolean;
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE */
export async function killContainer({ root, id, signal, all }: KillRequest): Promise<void> {
  const container = findContainer(root, id);
  const { cgroup, config } = container.record;
  // Without a pid namespace of its own, nobody takes the others along; engines ask for that after the end, too.
  const isShared = !ownsPids(config);
  const status = containerStatus(container);
  const toAll = all || (isShared && signal === SIGKILL);
  if (!(toAll && isShared && cgroup !== undefined && status === "stopped")) checkTransition("kill", id, status);
  if (toAll) await signalAll(container, signal);
  else signalInit(container, signal);
  // Version 1 keeps even SIGKILL from who is frozen (cgroups(7) "freezer").
  if (signal === SIGKILL && status === "paused" && cgroup !== undefined) await thaw(cgroup);
}

async function signalAll(container: KnownContainer, signal: number): Promise<void> {
  const { cgroup } = container.record;
  if (cgroup !== undefined) return await signalCgroup(cgroup, signal);
  for (const pid of containerPids(container)) sendSignal(pid, signal);
}

function signalInit({ record: { id, init } }: KnownContainer, signal: number): void {
  try {
    if (init !== undefined && signalProcess(init, signal)) return;
  } catch (cause) {
    throw new DevboxError("SYSCALL_FAILED", { step: `send signal ${signal} to container ${id}`, cause });
  }
  throw new DevboxError("CONTAINER_STATE", { step: `kill container ${id}`, because: "container not running" });
}
