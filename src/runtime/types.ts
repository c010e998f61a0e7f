/** What the lifecycle functions are asked for and return, where more than one of them, or the boxes, share it. */
import type { Cgroup } from "../cgroup/types.ts";
import type { HostFacts } from "../host/facts.ts";
import type { ProcessIdentity } from "../host/process-identity.ts";
import type { Launched, Stdio } from "../launch/launch.ts";
import type { IdMap, LinuxConfig, RuntimeProcess, Seccomp, State } from "../oci/runtime.ts";

/** A further process in a running container. */
export interface ExecRequest {
  /** The first process of the container: it lends its namespaces. */
  readonly init: ProcessIdentity;
  readonly process: RuntimeProcess;
  /** The filter of the container; undefined: none. */
  readonly seccomp: Seccomp | undefined;
  readonly personality?: LinuxConfig["personality"];
  readonly facts: HostFacts;
  /** Of the container's own user namespace; undefined: it has the host's. */
  readonly idMap: IdMap | undefined;
  /** Of the container; undefined: it stays in ours. */
  readonly cgroup: Cgroup | undefined;
  /** Without a terminal. */
  readonly stdio: readonly [Stdio, Stdio, Stdio];
  /** Connected socket of somebody who wants the terminal's master (`--console-socket`); undefined: it is returned. */
  readonly console: number | undefined;
  /** As in `ExecInput`. */
  readonly plainLines?: boolean;
  /** "tied": it dies with this process. "orphaned": it is left to the caller's subreaper (`--detach`). */
  readonly supervision: "tied" | "orphaned";
  readonly preservedFds: number;
  /** As in `ExecInput`. */
  readonly onOwnRoot?: boolean;
  /** Of a filter with SCMP_ACT_NOTIFY: a connected socket of who answers, and the container's state for it. */
  readonly listener?: { readonly socket: number; readonly state: State };
}

export interface ExecutedProcess {
  /** As the host counts. */
  readonly pid: number;
  /** Master of its terminal, not blocking, the caller's to close; undefined without one, or when `console` got it. */
  readonly terminal: number | undefined;
  readonly launched: Launched;
}
