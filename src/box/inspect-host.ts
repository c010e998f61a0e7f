/** HostConfig of `devbox inspect`: what a box was asked to be on this machine. */
import type { MountRequest, RunOptions } from "../bundle/options.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import type { BoxRecord } from "../store/types.ts";
import { boxNetwork } from "./config-file.ts";

/** Plain data, for JSON and templates. */
export interface Described {
  readonly [name: string]: unknown;
}

export function recordMap(record: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(record));
}

/** Without options, of a box in the foreground that goes away, only what config.json says. */
export function describeHostConfig(
  options: RunOptions | undefined,
  config: RuntimeConfig | undefined,
  record: BoxRecord,
): Described {
  return {
    Binds: (options?.mounts ?? []).flatMap(bindText),
    NetworkMode: config === undefined ? "" : boxNetwork(config),
    PortBindings: portBindings(options?.ports ?? record.ports ?? []),
    RestartPolicy: {
      Name: options?.restart?.name ?? "no",
      MaximumRetryCount: options?.restart?.maximumRetries ?? 0,
    },
    AutoRemove: record.ephemeral,
    LogConfig: { Type: options?.log?.driver ?? "none", Config: new Map() },
    CapAdd: options?.capAdd ?? [],
    CapDrop: options?.capDrop ?? [],
    Dns: options?.dns ?? [],
    ExtraHosts: options?.addHosts ?? [],
    Privileged: options?.privileged ?? false,
    ReadonlyRootfs: config?.root.readonly ?? false,
    SecurityOpt: securityOptions(options),
    Tmpfs: new Map((options?.mounts ?? []).flatMap(tmpfsEntry)),
    Init: options?.init ?? false,
    ShmSize: options?.shmSizeBytes ?? 0,
    Sysctls: recordMap(options?.sysctl ?? {}),
    Ulimits: (options?.ulimits ?? []).map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
    Devices: (options?.devices ?? []).map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    ...describeResources(options),
    MaskedPaths: config?.linux.maskedPaths ?? [],
    ReadonlyPaths: config?.linux.readonlyPaths ?? [],
    Runtime: "devbox",
    UsernsMode: "private",
    PidMode: "",
    IpcMode: "private",
    CgroupnsMode: "private",
  };
}

function bindText(mount: MountRequest): string[] {
  if (mount.kind === "bind") return [`${mount.source}:${mount.target}${mount.readonly ? ":ro" : ""}`];
  return mount.kind === "volume" ? [`${mount.name}:${mount.target}${mount.readonly ? ":ro" : ""}`] : [];
}

function tmpfsEntry(mount: MountRequest): (readonly [string, string])[] {
  return mount.kind === "tmpfs" ? [[mount.target, mount.options.join(",")]] : [];
}

function securityOptions(options: RunOptions | undefined): readonly string[] {
  if (options === undefined) return [];
  const { noNewPrivileges, seccomp } = options.security;
  return [
    ...(noNewPrivileges ? ["no-new-privileges"] : []),
    ...(seccomp === "unconfined" ? ["seccomp=unconfined"] : typeof seccomp === "object" ? ["seccomp=profile"] : []),
  ];
}

/** docker counts processors in billionths. */
function describeResources(options: RunOptions | undefined): Described {
  const { memory, cpu, pids } = options?.resources ?? {};
  const [quota, period] = [Number(cpu?.quota ?? 0), Number(cpu?.period ?? 0)];
  return {
    Memory: memory?.limit ?? 0,
    MemoryReservation: memory?.reservation ?? 0,
    MemorySwap: memory?.swap ?? 0,
    CpuShares: cpu?.shares ?? 0,
    CpuPeriod: period,
    CpuQuota: quota,
    NanoCpus: quota > 0 && period > 0 ? Math.round((quota / period) * 1e9) : 0,
    CpusetCpus: cpu?.cpus ?? "",
    CpusetMems: cpu?.mems ?? "",
    PidsLimit: pids?.limit ?? null,
  };
}

/** `80/tcp` → where it is published. */
export function portBindings(ports: RunOptions["ports"]): ReadonlyMap<string, readonly Described[]> {
  const bindings = new Map<string, Described[]>();
  for (const { hostIp, hostPort, containerPort, protocol } of ports) {
    const key = `${containerPort}/${protocol}`;
    bindings.set(key, [...(bindings.get(key) ?? []), { HostIp: hostIp, HostPort: String(hostPort) }]);
  }
  return bindings;
}
