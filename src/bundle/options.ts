/** What a `run` asks for, independent of where it came from (flags today, devcontainer.json later). */

import type { PortMapping } from "../core/ports.ts";
import type { LinuxResources } from "../oci/runtime.ts";

export type NetworkMode = "none" | "host" | "slirp4netns";

export type MountRequest =
  | {
      readonly kind: "bind";
      /** Absolute host path. */
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** Make the source directory when it is missing (`-v` does, `--mount` does not). */
      readonly createSource: boolean;
      /** rprivate unless asked otherwise; mount(8) names. */
      readonly propagation?: string;
      readonly recursive: boolean;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly options: readonly string[] }
  | {
      /** A volume with a name of its own, which outlives the box: made when it is missing. */
      readonly kind: "volume";
      readonly name: string;
      readonly target: string;
      readonly readonly: boolean;
      /** Leave an empty one empty, where it would get what the image has at its place. */
      readonly noCopy: boolean;
    }
  /** An empty directory of the box's own (`-v /path`, image VOLUMEs): lives and dies with the box, content copied up by overlay. */
  | { readonly kind: "anonymous"; readonly target: string };

export interface DeviceRequest {
  readonly source: string;
  readonly target: string;
  /** Subset of "rwm". */
  readonly permissions: string;
}

export interface RunOptions {
  /** Command line after the image; empty: the image's Cmd. */
  readonly command: readonly string[];
  /** undefined: the image's; []: none. */
  readonly entrypoint: readonly string[] | undefined;
  readonly name: string | undefined;
  readonly hostname: string | undefined;
  /** NIS domain name (setdomainname(2)), docker's meaning. */
  readonly domainname: string | undefined;
  /** `NAME[:GROUP]` or numbers; undefined: the image's User. */
  readonly user: string | undefined;
  /** Further groups of the user, by name or number. */
  readonly groupAdd: readonly string[];
  /** proc_pid_oom_score_adj(5); undefined: the caller's. */
  readonly oomScoreAdj: number | undefined;
  readonly workdir: string | undefined;
  /** KEY=VALUE, later wins; files already read, bare KEYs already looked up. */
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly mounts: readonly MountRequest[];
  readonly devices: readonly DeviceRequest[];
  readonly network: NetworkMode;
  readonly ports: readonly PortMapping[];
  readonly dns: readonly string[];
  /** For resolv.conf(5) `search`, in place of the host's; ["."]: none; [] the host's. */
  readonly dnsSearch: readonly string[];
  /** The same for `options`. */
  readonly dnsOptions: readonly string[];
  /** `NAME:IP`. */
  readonly addHosts: readonly string[];
  readonly readonlyRoot: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly security: SecurityOptions;
  readonly ulimits: readonly {
    readonly name: string;
    readonly soft: number | "unlimited";
    readonly hard: number | "unlimited";
  }[];
  readonly shmSizeBytes: number;
  readonly init: boolean;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly stopSignal: string | undefined;
  readonly stopTimeoutSeconds: number;
  /** Keep the box after its end (`--keep`, `--name` without `--rm`). */
  readonly keep: boolean;
  readonly restart: RestartPolicy;
  readonly health: HealthRequest;
  /** Limits of the control group; empty: none are asked for. */
  readonly resources: LinuxResources;
  readonly log: LogOptions;
  /** As the user wrote it (`ctrl-p,ctrl-q`); undefined: the default. */
  readonly detachKeys: string | undefined;
}

/** What happens when a detached box ends by itself. */
export interface RestartPolicy {
  readonly name: "no" | "on-failure" | "always" | "unless-stopped";
  /** Of `on-failure`; 0: as often as it fails. */
  readonly maximumRetries: number;
}

/** What is asked for over the image's HEALTHCHECK; members left out are the image's, or the default. Milliseconds. */
export interface HealthRequest {
  readonly disabled?: true;
  /** For `/bin/sh -c` of the box. */
  readonly command?: string;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly startPeriodMs?: number;
  readonly startIntervalMs?: number;
}

/** The log of a detached box. */
export interface LogOptions {
  readonly driver: "local" | "none";
  /** A file is rotated before it grows larger; 0: never. */
  readonly maxBytes: number;
  /** Files that are kept, the current one among them. */
  readonly maxFiles: number;
}

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** "default", "unconfined", or the parsed content of a profile file (docker's or the OCI's shape). */
  readonly seccomp: "default" | "unconfined" | { readonly profile: unknown };
  /** Paths (or "all") that are neither masked nor read-only. */
  readonly unmask: readonly string[];
  /** Further masked paths. */
  readonly mask: readonly string[];
}
