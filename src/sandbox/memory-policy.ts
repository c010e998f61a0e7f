/** Where the memory of the process comes from (runtime-spec config-linux.md "Memory policy"; set_mempolicy(2)). */
import { DevboxError } from "../core/errors.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { parseCpuList } from "../oci/cpu-list.ts";
import type { MemoryPolicy } from "../oci/runtime.ts";
import { type MemoryPolicyFlag, memoryPolicyModes } from "../oci/runtime-words.ts";
import { cpuMask } from "./schedule.ts";

const flagBits: Readonly<Record<MemoryPolicyFlag, number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};

/** Steps that set it: it stays over execve(2), and is that of all processes to come. */
export function setMemoryPolicy(plan: PlanBuilder, { mode, nodes = "", flags = [] }: MemoryPolicy): void {
  const numbers = parseCpuList(nodes);
  if (numbers === undefined) {
    const because = `${nodes} is no list of memory nodes`;
    throw new DevboxError("BAD_CONFIG", { step: "read linux.memoryPolicy.nodes", because });
  }
  const bits = flags.reduce((all, flag) => all | flagBits[flag], memoryPolicyModes.indexOf(mode));
  const mask = numbers.length === 0 ? undefined : cpuMask(numbers);
  // The kernel takes one bit less than it is told of (mm/mempolicy.c: get_nodes).
  const list = mask === undefined ? ([0, 0] as const) : ([plan.bytes(mask), mask.length * 8 + 1] as const);
  plan.syscall(`set the memory policy ${mode}${nodes === "" ? "" : ` on ${nodes}`}`, "set_mempolicy", [bits, ...list]);
}
