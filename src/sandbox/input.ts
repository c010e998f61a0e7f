/** What the sandbox planner is given: config.json and what only the host can tell. Plain data, so a plan can be computed anywhere. */

import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { HostFacts } from "../host/facts.ts";
import type { MonitorRequest } from "../launch/monitor.ts";
import type {
  IdMap,
  LinuxConfig,
  Namespace,
  NamespaceType,
  RuntimeConfig,
  RuntimeMount,
  RuntimeProcess,
  Seccomp,
  State,
} from "../oci/runtime.ts";

/** Who looks after the init process once it is there. */
export type Supervision =
  /** The launcher, for devbox, which waits for it: it dies with devbox. */
  | { readonly kind: "tied" }
  /** The launcher, alone: it keeps the log of the box, and becomes another program at its end. */
  | { readonly kind: "monitored"; readonly monitor: MonitorRequest }
  /** Nobody of ours: the launcher ends, and its caller's subreaper or init gets the process (runc's "create"). */
  | { readonly kind: "orphaned" };

/** What the namespaces need, long before the rest is known. */
export interface NamespaceInput {
  readonly namespaces: readonly Namespace[];
  /** Of a new user namespace. */
  readonly idMap: IdMap | undefined;
  readonly facts: HostFacts;
  /**
   * Names of the descriptors that are handed over: those that the supervisor keeps open for as long as the box lives (locks,
   * exit holds), and those that the plan of the box expects.
   */
  readonly descriptors: readonly string[];
  /** Those among them that only the init process may hold: their end tells devbox something ("executed"). */
  readonly initOnly?: readonly string[];
  /** Left out: tied. */
  readonly supervision?: Supervision;
  /** Names of descriptors of `cgroup.procs` files (or `tasks`' kin of version 1) that the init process is written into first. */
  readonly cgroups?: readonly string[];
  readonly timeOffsets?: LinuxConfig["timeOffsets"];
  /** Mounts that the launcher opens, who may be root of the host: `launcherMounts` of the box (sources.ts). */
  readonly idmappedMounts?: readonly RuntimeMount[];
  readonly netDevices?: LinuxConfig["netDevices"];
  /** Addresses that those devices have, by their names on the host: they lose them when they are moved, and get them back. */
  readonly netAddresses?: Readonly<Record<string, readonly DeviceAddress[]>>;
  /** Of the process. Needed here where a user namespace is joined: whoever has joined one cannot set it any more. */
  readonly oomScoreAdj?: number;
}

/** `192.0.2.1`, `2001:db8::1`. */
export interface DeviceAddress {
  readonly address: string;
  readonly prefixLength: number;
}

export interface SandboxInput {
  readonly config: RuntimeConfig;
  readonly rootfs: RootfsPlan;
  /** Absolute; overlay paths of `rootfs` are relative to it. */
  readonly storeRoot: string;
  /** Existing directory on which the root file system is mounted: empty, or the root file system itself. Absolute. */
  readonly mountpoint: string;
  readonly facts: HostFacts;
  /** Of the new user namespace; undefined: the box is in one that was there before, the host's or one that it joined. */
  readonly idMap: IdMap | undefined;
  /** For each bind source of config.json: what it is. Decides whether its mount point is a directory or a file. */
  readonly sourceKinds: ReadonlyMap<string, "directory" | "file">;
  /** The mounts that its launcher has opened: `NamespaceInput.idmappedMounts`. */
  readonly openedMounts?: readonly RuntimeMount[];
  /** For each of linux.devices: the host's node with its numbers. Left out, or undefined: it has the same path there. */
  readonly deviceSources?: readonly (string | undefined)[];
  /** What a mount of type cgroup shows on a host of version 1; left out: version 2 alone. */
  readonly cgroupTrees?: readonly CgroupTree[];
  /** Those of the standard streams (0, 1, 2) that are pipes: they are given to the user of the process. */
  readonly pipes: readonly number[];
  /** Where it waits for a byte: the end of the descriptor without one gives the box up. Hooks run meanwhile. */
  readonly gates: Gates;
  /** What hooks that run inside the container get (createContainer, startContainer); undefined: it has none. */
  readonly containerState?: State;
  /**
   * The command waits for another process ("start"): say "ready" before the gate, and report what fails after it to the
   * descriptor of this name, which ends when the command is executed.
   */
  readonly executed?: string;
  /** Connected socket for the listener of a seccomp filter with SCMP_ACT_NOTIFY, by the name of its descriptor. */
  readonly seccompListener?: string;
  /** The master of the terminal goes out blocking, as other engines expect it. */
  readonly blockingConsole?: boolean;
  /** Its terminal sends "\n" as it is, not as "\r\n": what comes out of it goes to a file or a pipe. */
  readonly plainLines?: boolean;
  /** Descriptors 3 … 3+n-1 of the caller go to the command (`--preserve-fds`); handed over as "preserved-0" …. */
  readonly preservedFds?: number;
  /** Of the init process; left out: it dies with its supervisor. */
  readonly orphaned?: boolean;
  /** Move the root onto / and change to it, for a root file system that pivot_root(2) refuses (a ramdisk). */
  readonly noPivot?: boolean;
  /** Keep the session keyring of the caller. */
  readonly noNewKeyring?: boolean;
  /** Be PID 1 for the command: reap orphans, forward signals. */
  readonly init: boolean;
}

/** One tree of control groups (cgroups(7)). */
export interface CgroupTree {
  /** What its directory is called: `cpu,cpuacct`, `systemd`, `unified`. */
  readonly name: string;
  readonly version: 1 | 2;
  /** Options of its mount: the controllers, or `name=systemd`. */
  readonly controllers: readonly string[];
  /** Of the box's own group in it, on the host. */
  readonly directory: string;
}

/** Names of descriptors. */
export interface Gates {
  /** Before the createContainer hooks and pivot_root. */
  readonly pivot?: string;
  /** Before the startContainer hooks and the command. */
  readonly exec?: string;
}

/** A further process in a container that runs (`exec`). Descriptors: as `planExec` says. */
export interface ExecInput {
  readonly process: RuntimeProcess;
  readonly seccomp: Seccomp | undefined;
  readonly personality?: LinuxConfig["personality"];
  readonly facts: HostFacts;
  /** Namespaces of the target that are not ours already. */
  readonly join: readonly NamespaceType[];
  /**
   * The container's root file system is the very directory that is ours (`/`). Left out: a container with our root is one that
   * is still being created, and refused.
   */
  readonly onOwnRoot?: boolean;
  /**
   * The container shares its mount namespace with others (`sharesMounts`), and is no more than a directory in it: descriptor
   * "root" (`/proc/PID/root` of the target).
   */
  readonly ownDirectory?: boolean;
  /** Of the target's user namespace; undefined: the host's. */
  readonly idMap: IdMap | undefined;
  readonly supervision: Supervision;
  /** As in `NamespaceInput`. */
  readonly cgroups: readonly string[];
  readonly held: readonly string[];
  readonly pipes: readonly number[];
  readonly blockingConsole?: boolean;
  readonly plainLines?: boolean;
  readonly preservedFds?: number;
  /** As in `SandboxInput`. */
  readonly seccompListener?: string;
  readonly containerState?: State;
}
