/** Control groups as plain data (cgroups(7)); the functions stand beside. */

/** What a host has: one tree (version 2), or a tree a controller (version 1, and mixtures of both). */
export type CgroupLayout =
  | {
      readonly version: 2;
      /** Where the tree is mounted: `/sys/fs/cgroup`. */
      readonly mount: string;
    }
  | {
      readonly version: 1;
      /** Mount point of each controller; of `name=systemd` as well. */
      readonly mounts: Readonly<Record<string, string>>;
      /** Mount point of a version 2 tree beside it (hybrid); undefined: none. */
      readonly unified: string | undefined;
    };

/** The control group of one container; it exists. */
export interface Cgroup {
  readonly layout: CgroupLayout;
  /** As in /proc/PID/cgroup: absolute in each tree. */
  readonly path: string;
  /** Absolute directories that it has: one on version 2, one a tree on version 1, in no order. */
  readonly directories: readonly string[];
}

export interface CgroupUsage {
  /** Nanoseconds of processor time. */
  readonly cpu: { readonly total: number; readonly user: number; readonly system: number; readonly throttled: number };
  /** Bytes. `cache` is what the kernel can drop (docker takes inactive_file off the usage). */
  readonly memory: {
    readonly usage: number;
    readonly max: number | undefined;
    readonly limit: number | undefined;
    readonly cache: number;
    readonly swap: number;
    /** How often the limit was hit, and how often a process was killed for it. */
    readonly failures: number;
    readonly oomKills: number;
  };
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  /** Bytes and operations, all devices together. */
  readonly io: {
    readonly readBytes: number;
    readonly writeBytes: number;
    readonly reads: number;
    readonly writes: number;
  };
}
