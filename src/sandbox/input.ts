/** What the sandbox planner is given: config.json and what only the host can tell. Plain data, so a plan can be computed anywhere. */
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { HostFacts } from "../host/facts.ts";
import type { IdMap, Namespace, RuntimeConfig } from "../oci/runtime.ts";

/** What the namespaces need, long before the rest is known. */
export interface NamespaceInput {
  readonly namespaces: readonly Namespace[];
  readonly idMap: IdMap;
  readonly facts: HostFacts;
  /**
   * Names of the descriptors that are handed over: those that the supervisor keeps open for as long as the box lives (locks,
   * exit holds), and those that the plan of the box expects.
   */
  readonly descriptors: readonly string[];
}

export interface SandboxInput {
  readonly config: RuntimeConfig;
  readonly rootfs: RootfsPlan;
  /** Absolute; overlay paths of `rootfs` are relative to it. */
  readonly storeRoot: string;
  /** Existing directory on which the root file system is mounted: empty, or the root file system itself. Absolute. */
  readonly mountpoint: string;
  readonly facts: HostFacts;
  readonly idMap: IdMap;
  /** For each bind source of config.json: what it is. Decides whether its mount point is a directory or a file. */
  readonly sourceKinds: ReadonlyMap<string, "directory" | "file">;
  /** Those of the standard streams (0, 1, 2) that are pipes: they are given to the user of the process. */
  readonly pipes: readonly number[];
  /** Wait for a byte on the descriptor "go" before the command starts (hooks run meanwhile). */
  readonly awaitGo: boolean;
  /** Be PID 1 for the command: reap orphans, forward signals. */
  readonly init: boolean;
}
