/** config.json and state of the runtime-spec 1.2 for Linux (config.md, config-linux.md, runtime.md), as types. */

import type { MemoryPolicyFlag, MemoryPolicyMode } from "./runtime-words.ts";

/** An integer up to 64 bits: a bigint only where no JavaScript number is exact. */
export type Integer64 = number | bigint;

/** runtime-spec config-linux.md "User namespace mappings". */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface IdMap {
  readonly uid: readonly IdMapping[];
  readonly gid: readonly IdMapping[];
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** Without `path` a new one. */
export interface Namespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

export interface RuntimeConfig {
  readonly ociVersion: string;
  readonly root: { readonly path: string; readonly readonly?: boolean };
  readonly process: RuntimeProcess;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly RuntimeMount[];
  readonly hooks?: Hooks;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: LinuxConfig;
}

/** A config.json that was read: `create` needs no process (runtime-spec config.md "Process"), only `start` does. */
export type ParsedConfig = Omit<RuntimeConfig, "process"> & { readonly process: RuntimeProcess | undefined };

export interface RuntimeProcess {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly cwd: string;
  readonly env: readonly string[];
  readonly args: readonly string[];
  readonly user: RuntimeUser;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: IoPriority;
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** sched_setattr(2): `policy` is `SCHED_OTHER` and its kin, `flags` `SCHED_FLAG_*`; times in nanoseconds. */
export interface Scheduler {
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  readonly flags?: readonly string[];
  readonly runtime?: Integer64;
  readonly deadline?: Integer64;
  readonly period?: Integer64;
}

/** ioprio_set(2): priority 0 to 7. */
export interface IoPriority {
  readonly class: "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";
  readonly priority: number;
}

export interface RuntimeUser {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

export interface Capabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

/** `type` as in getrlimit(2): `RLIMIT_NOFILE`. `unlimited` is 2^64-1 in config.json. */
export interface Rlimit {
  readonly type: string;
  readonly soft: Integer64 | "unlimited";
  readonly hard: Integer64 | "unlimited";
}

/** `type: "bind"` or option bind/rbind makes a bind mount; options as in mount(8). */
export interface RuntimeMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  /** Of an idmapped mount (mount_setattr(2)), with option `idmap` or `ridmap` or none. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

export interface Hook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export type HookPoint = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";

export type Hooks = Readonly<Partial<Record<HookPoint, readonly Hook[]>>>;

export interface LinuxConfig {
  readonly namespaces: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly devices?: readonly LinuxDevice[];
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly seccomp?: Seccomp;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly rootfsPropagation?: RootfsPropagation;
  readonly cgroupsPath?: string;
  readonly resources?: LinuxResources;
  readonly timeOffsets?: Readonly<Partial<Record<"monotonic" | "boottime", TimeOffset>>>;
  /** Network devices of the host to be moved into the network namespace, by their names there (runtime-spec 1.3). */
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly mountLabel?: string;
  readonly personality?: { readonly domain: "LINUX" | "LINUX32" };
  readonly memoryPolicy?: MemoryPolicy;
}

/** Which nodes the process has its memory from (runtime-spec 1.3). */
export interface MemoryPolicy {
  readonly mode: MemoryPolicyMode;
  /** `0-3,7` */
  readonly nodes?: string;
  readonly flags?: readonly MemoryPolicyFlag[];
}

export type RootfsPropagation =
  | "shared"
  | "slave"
  | "private"
  | "unbindable"
  | "rshared"
  | "rslave"
  | "rprivate"
  | "runbindable";

export interface TimeOffset {
  readonly secs?: number;
  readonly nanosecs?: number;
}

/** runtime-spec config-linux.md "Control groups". -1 means unlimited where the spec says so. */
export interface LinuxResources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryResources;
  readonly cpu?: CpuResources;
  readonly pids?: { readonly limit: Integer64 };
  readonly blockIO?: BlockIoResources;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: Integer64 }[];
  readonly network?: NetworkResources;
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>;
  /** cgroup v2: file name → text. */
  readonly unified?: Readonly<Record<string, string>>;
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: "a" | "b" | "c";
  /** Left out: every number. */
  readonly major?: number;
  readonly minor?: number;
  /** Some of "rwm". */
  readonly access?: string;
}

/** Bytes. */
export interface MemoryResources {
  readonly limit?: Integer64;
  readonly reservation?: Integer64;
  /** Memory and swap together. */
  readonly swap?: Integer64;
  readonly kernel?: Integer64;
  readonly kernelTCP?: Integer64;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds. */
export interface CpuResources {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

export interface BlockIoResources {
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly {
    readonly major: number;
    readonly minor: number;
    readonly weight?: number;
    readonly leafWeight?: number;
  }[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
}

export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: Integer64;
}

export interface NetworkResources {
  readonly classID?: number;
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
}

export interface LinuxDevice {
  readonly type: "c" | "b" | "u" | "p";
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** runtime-spec config-linux.md "Seccomp". */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly SeccompRule[];
  /** Unix socket that gets the listener of SCMP_ACT_NOTIFY, with the metadata. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
}

export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_NOTIFY";

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

export interface SeccompArgument {
  readonly index: number;
  readonly value: Integer64;
  readonly valueTwo?: Integer64;
  readonly op:
    | "SCMP_CMP_NE"
    | "SCMP_CMP_LT"
    | "SCMP_CMP_LE"
    | "SCMP_CMP_EQ"
    | "SCMP_CMP_GE"
    | "SCMP_CMP_GT"
    | "SCMP_CMP_MASKED_EQ";
}

/** `paused` is no state of the spec's, which lets runtimes have further ones; runc and crun have this. */
export type ContainerStatus = "creating" | "created" | "running" | "paused" | "stopped";

/** runtime-spec runtime.md "State": what hooks read on stdin. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: ContainerStatus;
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
