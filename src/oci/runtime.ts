/** config.json and state of the runtime-spec (config.md, config-linux.md, runtime.md): the part of it that devbox uses, as types. */

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

/** `type` as in getrlimit(2): `RLIMIT_NOFILE`. `unlimited` is 2^64-1, which JSON numbers cannot hold exactly. */
export interface Rlimit {
  readonly type: string;
  readonly soft: number | "unlimited";
  readonly hard: number | "unlimited";
}

/** `type: "bind"` or option bind/rbind makes a bind mount; options as in mount(8). */
export interface RuntimeMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
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
  readonly rootfsPropagation?: "shared" | "slave" | "private" | "unbindable";
  readonly cgroupsPath?: string;
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
  readonly value: number;
  readonly valueTwo?: number;
  readonly op:
    | "SCMP_CMP_NE"
    | "SCMP_CMP_LT"
    | "SCMP_CMP_LE"
    | "SCMP_CMP_EQ"
    | "SCMP_CMP_GE"
    | "SCMP_CMP_GT"
    | "SCMP_CMP_MASKED_EQ";
}

/** runtime-spec runtime.md "State": what hooks read on stdin. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "stopped";
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
