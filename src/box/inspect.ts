/**
 * What `devbox inspect` shows: docker's shape of a container (docker API, ContainerInspect), as far as it means something
 * here. Objects whose keys are users' are Maps, so that templates can tell them from those with fields.
 */

import { readFileSync } from "node:fs";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { boxPaths } from "../store/paths.ts";
import type { BoxRecord, Store } from "../store/types.ts";
import { type BoxMount, boxNetwork } from "./config-file.ts";
import { type Described, describeHostConfig, portBindings, recordMap } from "./inspect-host.ts";
import { listedBox } from "./list.ts";
import { type BoxSettings, readSettings } from "./settings.ts";

/** Go's zero time, docker's word for "never". */
const never = "0001-01-01T00:00:00Z";

/** @param withSize SizeRw and SizeRootFs as well: all files of the box are looked at */
export function inspectBox(store: Store, record: BoxRecord, withSize: boolean): Described {
  const paths = boxPaths(store, record.id);
  const listed = listedBox(store, record);
  const config = listed.config();
  const settings = readSettings(paths);
  const [path = "", ...args] = config?.process.args ?? record.command;
  const sizes = withSize ? listed.size() : undefined;
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: describeState(record),
    Image: settings?.imageId ?? record.manifestDigest ?? "",
    ResolvConfPath: `${paths.directory}/resolv.conf`,
    HostnamePath: `${paths.directory}/hostname`,
    HostsPath: `${paths.directory}/hosts`,
    LogPath: settings?.options.log?.driver === "local" ? `${paths.directory}/log` : "",
    Name: `/${record.name}`,
    RestartCount: record.restartCount ?? 0,
    Driver: settings?.rootfs.kind === "directory" ? "directory" : "overlay",
    Platform: "linux",
    ProcessLabel: "",
    AppArmorProfile: "",
    ...(sizes === undefined ? {} : { SizeRw: sizes.ownBytes, SizeRootFs: sizes.ownBytes + sizes.imageBytes }),
    HostConfig: describeHostConfig(settings?.options, config, record),
    Mounts: listed.mounts().map(describeMount),
    Config: describeConfig(record, config, settings),
    NetworkSettings: describeNetwork(record, config),
  };
}

/** A pointer that is nil in docker's structure, left out of the JSON: templates may ask for it, `{{if .State.Health}}`. */
const nothing = (): null => null;

function describeState(record: BoxRecord): Described {
  const { status, health } = record;
  return {
    Status: status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: record.oomKilled ?? false,
    Dead: false,
    Pid: record.pid ?? 0,
    ExitCode: record.exitCode ?? 0,
    Error: record.error ?? "",
    StartedAt: record.startedAt ?? never,
    FinishedAt: record.finishedAt ?? never,
    Health: health === undefined ? nothing : describeHealth(health),
  };
}

function describeHealth({ status, failingStreak, log }: NonNullable<BoxRecord["health"]>): Described {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function describeMount({ type, name, source, destination, isWritable, propagation }: BoxMount): Described {
  return {
    Type: type,
    ...(type === "volume" ? { Name: name ?? "", Driver: "local" } : {}),
    Source: source,
    Destination: destination,
    Mode: "",
    RW: isWritable,
    Propagation: type === "volume" ? "" : propagation,
  };
}

function describeConfig(
  record: BoxRecord,
  config: RuntimeConfig | undefined,
  settings: BoxSettings | undefined,
): Described {
  const options = settings?.options;
  return {
    Hostname: config?.hostname ?? "",
    Domainname: config?.domainname ?? "",
    User: options?.user ?? userOf(config),
    AttachStdin: options?.interactive ?? true,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: new Map((options?.ports ?? []).map((port) => [`${port.containerPort}/${port.protocol}`, {}])),
    Tty: config?.process.terminal ?? false,
    OpenStdin: options?.interactive ?? true,
    StdinOnce: false,
    Env: config?.process.env ?? [],
    Cmd: record.command,
    Image: record.image,
    WorkingDir: config?.process.cwd ?? "/",
    Entrypoint: options?.entrypoint ?? null,
    Labels: recordMap(record.labels),
    StopSignal: settings?.stopSignal ?? "SIGTERM",
    StopTimeout: options?.stopTimeoutSeconds ?? null,
    Healthcheck: settings?.health === undefined ? nothing : describeHealthCheck(settings.health),
  };
}

/** Nanoseconds, as docker counts. */
function describeHealthCheck(health: NonNullable<BoxSettings["health"]>): Described {
  const nanoseconds = (milliseconds: number): number => milliseconds * 1_000_000;
  const [shell, option, ...command] = health.args;
  return {
    Test: shell === "/bin/sh" && option === "-c" ? ["CMD-SHELL", ...command] : ["CMD", ...health.args],
    Interval: nanoseconds(health.intervalMs),
    Timeout: nanoseconds(health.timeoutMs),
    StartPeriod: nanoseconds(health.startPeriodMs),
    StartInterval: nanoseconds(health.startIntervalMs),
    Retries: health.retries,
  };
}

function userOf(config: RuntimeConfig | undefined): string {
  const user = config?.process.user;
  return user === undefined || (user.uid === 0 && user.gid === 0) ? "" : `${user.uid}:${user.gid}`;
}

function describeNetwork(record: BoxRecord, config: RuntimeConfig | undefined): Described {
  const network = config === undefined ? "none" : boxNetwork(config);
  const address = network === "slirp4netns" ? ownAddress(record) : "";
  return {
    SandboxKey: record.pid === undefined ? "" : `/proc/${record.pid}/ns/net`,
    Ports: portBindings(record.ports ?? []),
    IPAddress: address,
    Gateway: "",
    Networks: new Map([[network, { IPAddress: address }]]),
  };
}

/** The address of its own network namespace that is not the loopback's. */
function ownAddress({ pid }: BoxRecord): string {
  if (pid === undefined) return "";
  try {
    // proc_pid_net(5): local addresses are routes to a single host.
    const trie = readFileSync(`/proc/${pid}/net/fib_trie`, "latin1");
    const locals = [...trie.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)].map((match) => match[1] ?? "");
    return locals.find((address) => !address.startsWith("127.")) ?? "";
  } catch {
    return "";
  }
}
