/** Control groups as plain data (cgroups(7)); the functions stand beside. */

/** What a host has: one tree (version 2), or a tree a controller (version 1, and mixtures of both). */
export type CgroupLayout =
  | {
      readonly version: 2;
      /** Where the tree is mounted: `/sys/fs/cgroup`. */
      readonly mount: string;
      /** The group that is the root there, where not all of the tree is mounted: in containers without a namespace of groups. */
      readonly root?: string;
    }
  | {
      readonly version: 1;
      /** Mount point of each controller; of `name=systemd` as well. */
      readonly mounts: Readonly<Record<string, string>>;
      /** Mount point of a version 2 tree beside it (hybrid); undefined: none. */
      readonly unified: string | undefined;
    };

/** The groups that a process is in: absolute paths, as in /proc/PID/cgroup. */
export interface OwnCgroups {
  /** In the version 2 tree; undefined: it is in none. */
  readonly unified: string | undefined;
  /** In the version 1 trees, by controller. */
  readonly controllers: Readonly<Record<string, string>>;
}

/** The control group of one container; it exists. */
export interface Cgroup {
  readonly layout: CgroupLayout;
  /** As in /proc/PID/cgroup: absolute in each tree. */
  readonly path: string;
  /** Absolute directories that it has: one on version 2, one a tree on version 1, in no order. */
  readonly directories: readonly string[];
}

/** What a group has used. Controllers that it does not have leave zeros, and undefined where there is no limit. */
export interface CgroupUsage {
  /** Nanoseconds of processor time; of each processor only on version 1. */
  readonly cpu: {
    readonly total: number;
    readonly user: number;
    readonly system: number;
    readonly throttled: number;
    /** Periods of cpu.max or cfs_quota_us that have passed, and those in which processes had to wait. */
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly perCpu: readonly number[] | undefined;
  };
  /** Bytes. `cache` is what the kernel can drop (docker takes inactive_file off the usage). */
  readonly memory: {
    readonly usage: number;
    readonly max: number | undefined;
    readonly limit: number | undefined;
    readonly cache: number;
    /** Of swap alone, on both versions. */
    readonly swap: number;
    readonly swapLimit: number | undefined;
    /** Of the kernel for the group; of its TCP buffers only on version 1. */
    readonly kernel: number;
    readonly kernelTCP: number | undefined;
    /** How often the limit was hit, and how often a process was killed for it. */
    readonly failures: number;
    readonly oomKills: number;
    /** memory.stat as it is. */
    readonly raw: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  /** Bytes and operations, all devices together, and each. */
  readonly io: IoCounts & {
    readonly devices: readonly (IoCounts & { readonly major: number; readonly minor: number })[];
  };
  /** By page size (`2MB`): bytes, and how often the limit was hit. */
  readonly hugetlb: Readonly<
    Record<string, { readonly usage: number; readonly max: number | undefined; readonly failures: number }>
  >;
}

export interface IoCounts {
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
}
