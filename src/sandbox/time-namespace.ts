/** A time namespace (time_namespaces(7)): made by unshare(2), given its offsets, and only then entered. */
import { AT_FDCWD, CLONE_NEWTIME, O_CLOEXEC, O_RDONLY, O_WRONLY } from "../../ffi/constants.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { LinuxConfig } from "../oci/runtime.ts";

type TimeOffsets = NonNullable<LinuxConfig["timeOffsets"]>;

/** Steps of a process that is root of its user namespace: its children begin in a new time namespace. */
export function makeTimeNamespace(plan: PlanBuilder, offsets: TimeOffsets = {}): void {
  plan.syscall("make the time namespace", "unshare", [CLONE_NEWTIME]);
  const lines = offsetLines(offsets);
  if (lines.length === 0) return;
  plan.scoped(() => {
    const file = plan.slot();
    const label = `set the clocks: ${lines.join(", ")}`;
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
    const path = plan.string("/proc/self/timens_offsets");
    plan.syscall(label, "openat", [AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0], { save: file });
    plan.syscall(label, "write", [{ slot: file }, plan.bytes(bytes), bytes.length]);
    plan.syscall("close timens_offsets", "close", [{ slot: file }]);
  });
}

/** Steps that enter it, too. */
export function enterTimeNamespace(plan: PlanBuilder, offsets?: TimeOffsets): void {
  makeTimeNamespace(plan, offsets);
  plan.scoped(() => {
    const [label, file] = ["enter the time namespace", plan.slot()];
    const path = plan.string("/proc/self/ns/time_for_children");
    plan.syscall(label, "openat", [AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0], { save: file });
    plan.syscall(label, "setns", [{ slot: file }, CLONE_NEWTIME]);
    plan.syscall("close the time namespace", "close", [{ slot: file }]);
  });
}

/** Clock, seconds, nanoseconds. */
function offsetLines(offsets: TimeOffsets): string[] {
  return (["monotonic", "boottime"] as const).flatMap((clock) => {
    const offset = offsets[clock];
    return offset === undefined ? [] : [`${clock} ${offset.secs ?? 0} ${offset.nanosecs ?? 0}`];
  });
}
