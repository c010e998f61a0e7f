/** The end of a container: its processes, its control group, its directory, its poststop hooks; in this order. */
import { closeSync, writeSync } from "node:fs";
import { SIGKILL } from "../../ffi/constants.ts";
import { pidfdSendSignal, pollReadable } from "../../ffi/libc.ts";
import { isFrozen, killCgroup, openProcs } from "../cgroup/processes.ts";
import { removeUnusedCgroup } from "../cgroup/remove.ts";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { openProcess, type ProcessIdentity } from "../host/process-identity.ts";
import type { KnownContainer } from "./container.ts";
import { endCgroup } from "./container-cgroup.ts";
import { runPoststopHooks } from "./poststop.ts";
import { removeContainerDirectory } from "./state-directory.ts";

/** A process in uninterruptible sleep dies when it wakes: so long is waited for. */
const deathTimeoutMs = 10_000;

/** Ends the init process, with it all of its pid namespace, and everybody of its control group; and takes away what is left. */
export async function destroyContainer(
  { paths, record }: KnownContainer,
  warn: (warning: string) => void,
): Promise<void> {
  if (record.init === undefined) {
    // Nothing of it was ever told to be in the group, which may have been there before, with others in it.
    if (record.cgroup !== undefined) await removeUnusedCgroup(record.cgroup);
    removeContainerDirectory(paths);
    await runPoststopHooks(record, warn);
    return;
  }
  // A frozen process dies only when it is thawed.
  if (record.cgroup !== undefined && isFrozen(record.cgroup)) await killCgroup(record.cgroup);
  killAndWait(record.init, record.cgroup);
  // Without a pid namespace of its own its processes outlive the first one: then only the group knows them.
  if (record.cgroup !== undefined) await endCgroup(record.cgroup);
  removeContainerDirectory(paths);
  await runPoststopHooks(record, warn);
}

/** Who is not kept from it is dead by then. */
const promptDeathMs = 200;

function killAndWait(init: ProcessIdentity, cgroup: Cgroup | undefined): void {
  const pidfd = openProcess(init);
  if (pidfd === undefined) return;
  try {
    pidfdSendSignal(pidfd, SIGKILL);
    if (pollReadable(pidfd, promptDeathMs)) return;
    if (cgroup !== undefined) takeBack(init, cgroup);
    if (pollReadable(pidfd, deathTimeoutMs)) return;
  } catch (error) {
    if (errnoName(error) === "ESRCH") return;
    throw error;
  } finally {
    closeSync(pidfd);
  }
  throw new DevboxError("CONTAINER_STATE", {
    step: `end process ${init.pid}`,
    because: `it has not died within ${deathTimeoutMs / 1000} s of SIGKILL`,
  });
}

/**
 * Somebody may have moved the process into a group that is frozen, where version 1 keeps SIGKILL from it: in the group of its
 * container it is thawed (cgroups(7) "freezer"). The pid is its own still: its death would have been seen.
 */
function takeBack({ pid }: ProcessIdentity, cgroup: Cgroup): void {
  for (const procs of openProcs(cgroup)) {
    try {
      writeSync(procs, String(pid));
    } catch {
      // It has died meanwhile, or the group of another tree does not take it.
    } finally {
      closeSync(procs);
    }
  }
}
