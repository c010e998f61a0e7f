/** The config.json to begin with that `spec` writes: a shell in a read-only root, as runc's. */
import type { Capabilities, IdMapping, LinuxConfig, Namespace, RuntimeConfig, RuntimeMount } from "./runtime.ts";

export interface SpecRequest {
  /** Version 1 shows its groups without a namespace of their own, as runc's. */
  readonly cgroupNamespace: boolean;
  /** For a user without rights: a user namespace where this user is root, alone, the host's network, its /sys. */
  readonly rootless?: { readonly uid: number; readonly gid: number };
}

/** The version is the oldest that has all of it: older runtimes refuse newer ones. */
export function specConfig(request: SpecRequest): RuntimeConfig {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: sets(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]),
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "devbox",
    mounts: mounts(request),
    linux: { ...confinement(request), maskedPaths, readonlyPaths },
  };
}

function sets(names: readonly string[]): Capabilities {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function mounts(request: SpecRequest): readonly RuntimeMount[] {
  const closed = ["nosuid", "noexec", "nodev"];
  const devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  // Group 5 is tty where more ids than one are mapped.
  const tty = request.rootless === undefined ? ["gid=5"] : [];
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: [...devpts, ...tty] },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...closed, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: closed },
    // A new sysfs is a network namespace's, and refused without one of one's own.
    request.rootless === undefined
      ? { destination: "/sys", type: "sysfs", source: "sysfs", options: [...closed, "ro"] }
      : { destination: "/sys", type: "none", source: "/sys", options: ["rbind", ...closed, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...closed, "relatime", "ro"] },
  ];
}

function confinement({ cgroupNamespace, rootless }: SpecRequest): LinuxConfig {
  const types = (...names: readonly Namespace["type"][]): readonly Namespace[] =>
    [...names, ...(cgroupNamespace ? (["cgroup"] as const) : [])].map((type) => ({ type }));
  if (rootless === undefined) {
    return {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: types("pid", "network", "ipc", "uts", "mount"),
    };
  }
  const alone = (hostID: number): readonly IdMapping[] => [{ containerID: 0, hostID, size: 1 }];
  return {
    uidMappings: alone(rootless.uid),
    gidMappings: alone(rootless.gid),
    namespaces: types("pid", "ipc", "uts", "mount", "user"),
  };
}

const maskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];

const readonlyPaths: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
