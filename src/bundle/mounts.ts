/**
 * The mounts of a box, in the order in which they are made: docker's defaults (moby, daemon/pkg/oci/defaults.go), the
 * generated files, devices, volumes, and what the user asks for. A later mount of the same place replaces an earlier
 * one; parents come before what lies in them.
 */
import { highestContiguousId, toHostId } from "../oci/id-map.ts";
import type { IdMap, RuntimeMount } from "../oci/runtime.ts";
import { volumeData } from "../store/volume-paths.ts";
import type { MountRequest, RunOptions } from "./options.ts";

/** The group `tty` of Debian and its kin, to whom new terminals belong. */
const TTY_GID = 5;

type DefaultMountOptions = Pick<RunOptions, "network" | "privileged" | "shmSizeBytes">;

export function defaultMounts(
  { network, privileged, shmSizeBytes }: DefaultMountOptions,
  idMap: IdMap,
): RuntimeMount[] {
  const access = privileged ? [] : ["ro"];
  const closed = ["nosuid", "noexec", "nodev"];
  // An option that names an unmapped id fails the mount; without it, terminals belong to the group of who opens them.
  const ttyGroup = toHostId(idMap.gid, TTY_GID) === undefined ? [] : [`gid=${TTY_GID}`];
  const terminals = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", ...ttyGroup];
  const shm = [...closed, "mode=1777", `size=${shmSizeBytes}`];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: closed },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: terminals },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: shm },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: closed },
    sysMount(network, closed, access),
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...closed, ...access] },
  ];
}

/**
 * A new sysfs shows a network namespace, and only its owner may mount one: on the host's network, /sys is the host's, with
 * all that is mounted there (debugfs, bpf, efivars), and read-only means that, too.
 */
function sysMount(network: RunOptions["network"], closed: readonly string[], access: readonly string[]): RuntimeMount {
  if (network !== "host")
    return { destination: "/sys", type: "sysfs", source: "sysfs", options: [...closed, ...access] };
  const options = ["rbind", "rprivate", ...closed, ...access.map((option) => `r${option}`)];
  return { destination: "/sys", type: "bind", source: "/sys", options };
}

/** Sysctls without which ordinary users of the box could neither ping nor serve port 80; docker sets the same. */
export function defaultSysctls(network: RunOptions["network"], idMap: IdMap): Record<string, string> {
  if (network === "host") return {};
  return {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": `0 ${Math.max(highestContiguousId(idMap.gid), 0)}`,
  };
}

/** What must be looked up for a mount that the user asks for. */
export interface MountSurroundings {
  /** Mode bits of a directory of the image; undefined: there is none. */
  readonly imageMode: (target: string) => number | undefined;
  readonly isHostFile: (source: string) => boolean;
  /** `Store.root`: volumes with names lie in it. */
  readonly storeRoot: string;
}

/** A mount that the user asks for. A tmpfs keeps the mode of the directory that it covers, as under runc. */
export function requestedMount(
  request: Exclude<MountRequest, { kind: "anonymous" }>,
  surroundings: MountSurroundings,
): RuntimeMount {
  if (request.kind === "bind") return bindMount(request, surroundings);
  if (request.kind === "volume") {
    const source = volumeData(surroundings.storeRoot, request.name);
    return bindMount({ ...request, kind: "bind", source, createSource: false, recursive: true }, surroundings);
  }
  const mode = surroundings.imageMode(request.target);
  const given = request.options.some((option) => option.startsWith("mode="));
  const modeOption = given || mode === undefined ? [] : [`mode=${mode.toString(8)}`];
  const options = ["nosuid", "nodev", "noexec", ...modeOption, ...request.options];
  return { destination: request.target, type: "tmpfs", source: "tmpfs", options };
}

/**
 * Read-only means all that lies below, too (`rro`): `-v /:/host:ro` must not leave /home writable. docker does so since
 * 25. Nothing lies below a file, and crun takes `rro` for directories only.
 */
function bindMount(
  { source, target, recursive, readonly, propagation }: Extract<MountRequest, { kind: "bind" }>,
  { isHostFile }: MountSurroundings,
): RuntimeMount {
  const options = [recursive ? "rbind" : "bind", propagation ?? "rprivate"];
  if (readonly) options.push(recursive && !isHostFile(source) ? "rro" : "ro");
  return { destination: target, type: "bind", source, options };
}

/**
 * Mounts of several origins as one list: `defaults` first, then each of `further`. Who mounts on /dev makes its own
 * devices: the defaults below go as well.
 */
export function combineMounts(defaults: readonly RuntimeMount[], further: readonly RuntimeMount[]): RuntimeMount[] {
  const replacesDev = further.some(({ destination }) => destination === "/dev");
  const kept = replacesDev ? defaults.filter(({ destination }) => !destination.startsWith("/dev/")) : defaults;
  const places = new Map<string, RuntimeMount>();
  for (const mount of [...kept, ...further]) places.set(mount.destination, mount);
  return [...places.values()].sort((a, b) => depth(a.destination) - depth(b.destination));
}

function depth(path: string): number {
  return path.split("/").filter((name) => name !== "").length;
}
