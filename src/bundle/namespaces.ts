/** The namespaces of a box: everything of its own but the network where it shares the host's. */
import type { Namespace } from "../oci/runtime.ts";
import type { RunOptions } from "./options.ts";

export function boxNamespaces(network: RunOptions["network"]): readonly Namespace[] {
  const isolated = ["user", "mount", "pid", "ipc", "uts", "cgroup"] as const;
  const types = network === "host" ? isolated : [...isolated, "network" as const];
  return types.map((type) => ({ type }));
}
