/**
 * Is the container that a process joins whole? Until its init process has entered its root, what its mount namespace has as
 * root is the host's, and a command executed there would work on the files of the host.
 */
import { AT_FDCWD, STATX_BASIC_STATS } from "../../ffi/constants.ts";
import { EAGAIN } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { continueIfEqual, readStatus, type Slot, statField, statSize } from "./steps.ts";

/** What tells two directories apart. */
const identity = [statField.fileSystemMinor, statField.fileSystemMajor, statField.inode, statField.inode + 4] as const;

/** Steps that note what the root of this process is, before it joins. */
export function noteRoot(plan: PlanBuilder): Data {
  const status = plan.buffer(statSize);
  plan.syscall("note the own root", "statx", [AT_FDCWD, plan.string("/"), 0, STATX_BASIC_STATS, status]);
  return status.data;
}

/** Steps that fail (EAGAIN) when the directory in `root` is the one that was noted. What is opened now stays what it is. */
export function requireOtherRoot(plan: PlanBuilder, noted: Data, root: Slot): void {
  const label = "enter the root of the container: it has none yet, being created";
  const other = plan.mark("another root");
  const found = readStatus(plan, label, root);
  plan.scoped(() => {
    const value = { slot: plan.slot() };
    for (const offset of identity) {
      plan.add({ kind: "load", slot: value.slot, from: noted, offset, width: 4 });
      continueIfEqual(plan, label, { data: found, offset, value }, other);
    }
  });
  plan.add({ kind: "fail", label, errno: EAGAIN });
  plan.here(other);
}
