/** Resource limits of the process as steps (runtime-spec config.md "POSIX process"). */
import { RLIMIT_NOFILE } from "../../ffi/constants.ts";
import { EINVAL } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import { rlimitBytes, rlimitNumber } from "./rlimits.ts";
import { setSchedule } from "./schedule.ts";

/** Soft limit of open files where config.json says nothing: what systemd and docker give. */
const openFiles = 1024n;

/** Steps for schedule and limits of the process; while it may still raise them as far as the host lets it. */
export function setLimits(plan: PlanBuilder, process: RuntimeProcess): void {
  const { rlimits = [] } = process;
  // First: a limit may forbid what the scheduler is asked for (RLIMIT_RTPRIO).
  setSchedule(plan, process);
  if (!rlimits.some(({ type }) => type === "RLIMIT_NOFILE")) limitOpenFiles(plan);
  for (const limit of rlimits) {
    const data: Data = { bytes: rlimitBytes(limit) };
    plan.syscall(`set the limit ${limit.type}`, "prlimit64", [0, rlimitNumber(limit.type), { data }, 0]);
  }
}

/**
 * Bun has raised the soft limit of its own process to the hard one, which the box would inherit: too much for programs
 * that use select(2), or close all descriptors that there could be. The hard limit stays.
 */
function limitOpenFiles(plan: PlanBuilder): void {
  const [before, after] = [plan.buffer(16), plan.buffer(16)];
  const hard = plan.slot();
  new DataView(after.data.bytes.buffer).setBigUint64(0, openFiles, true);
  plan.syscall("read the limit of open files", "prlimit64", [0, RLIMIT_NOFILE, 0, before]);
  plan.add({ kind: "load", slot: hard, from: before.data, offset: 8, width: 8 });
  plan.add({ kind: "store", slot: hard, into: after.data, offset: 8, width: 8 });
  // EINVAL: the hard limit is lower still.
  plan.syscall("limit open files", "prlimit64", [0, RLIMIT_NOFILE, after, 0], { tolerate: [EINVAL] });
}
