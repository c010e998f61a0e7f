/**
 * From image and options to a bundle: config.json (runtime-spec config.md), the generated files beside it, and the plan
 * of the root file system. Every OCI runtime can run the result once the root is mounted on `rootfs/`.
 *
 * On the way of every `run`: few system calls, and no fsync, since a box that did not start is worth nothing after a crash.
 */
import type { Stats } from "node:fs";
import { posix } from "node:path";
import { DevboxError } from "../core/errors.ts";
import { os } from "../core/os.ts";
import { toHostId } from "../oci/id-map.ts";
import type { ImageExecution } from "../oci/image.ts";
import type { LinuxConfig, Rlimit, RuntimeConfig, RuntimeMount, RuntimeProcess } from "../oci/runtime.ts";
import type { Bundle, BundleInput } from "./bundle.ts";
import { boxCommand } from "./command.ts";
import { deviceMount } from "./devices.ts";
import { boxEnvironment } from "./environment.ts";
import { protectedPaths } from "./masks.ts";
import { combineMounts, defaultMounts, defaultSysctls, requestedMount } from "./mounts.ts";
import { boxNamespaces } from "./namespaces.ts";
import type { MountRequest } from "./options.ts";
import { checkSource, layerRoots, planRootfs } from "./rootfs.ts";
import { findInRoot, readTextInRoot } from "./rootfs-view.ts";
import { isHostFile, prepareSources } from "./sources.ts";
import { refuseHostSysctls } from "./sysctls.ts";
import { type BoxUser, resolveGroup, resolveUser } from "./users.ts";
import { volumeMounts } from "./volumes.ts";
import { generatedMounts, writeBundle } from "./write.ts";

/** Larger account files are not read: real ones have a few kilobytes. */
const MAX_ACCOUNT_BYTES = 4 * 1024 * 1024;

/** HOST_NAME_MAX (sethostname(2)). */
const MAX_HOSTNAME = 64;

/**
 * Makes the bundle of a new box in `input.box.directory`.
 * @throws USER_NOT_FOUND, NO_COMMAND, BAD_CONFIG; STORE_FULL or STORE_UNUSABLE where it cannot be written.
 */
export function createBundle(input: BundleInput): Bundle {
  checkSource(input.source);
  const layers = layerRoots(input);
  const image = imageExecution(input);
  const user = findUser(input, image, layers);
  const hostname = chooseHostname(input);
  const mounts = collectMounts(input, image, layers);
  const config = runtimeConfig(input, image, user, hostname, mounts);
  const rootfs = planRootfs(input);
  writeBundle(input, config, rootfs, hostname);
  return { config, rootfs, sourceKinds: prepareSources(mounts, input.options, input.box.directory) };
}

function imageExecution({ source }: BundleInput): ImageExecution {
  return (source.kind === "image" ? source.image.config : source.config)?.config ?? {};
}

function findUser({ options, idMap }: BundleInput, image: ImageExecution, layers: readonly string[]): BoxUser {
  const spec = options.user ?? image.User ?? "";
  const files = {
    passwd: readTextInRoot(layers, "/etc/passwd", MAX_ACCOUNT_BYTES),
    group: readTextInRoot(layers, "/etc/group", MAX_ACCOUNT_BYTES),
  };
  const user = resolveUser(spec, files);
  const added = options.groupAdd.map((group) => resolveGroup(group, files));
  if (toHostId(idMap.uid, user.uid) === undefined || toHostId(idMap.gid, user.gid) === undefined) {
    throw new DevboxError("BAD_CONFIG", {
      step: `run as uid ${user.uid}, gid ${user.gid}`,
      because: "your subordinate ids do not reach that far, so the id does not exist in the box",
      hint: "choose another with --user, or have a larger range granted in /etc/subuid and /etc/subgid",
    });
  }
  // setgroups(2) refuses all groups for one that is not mapped.
  const additionalGids = [...new Set([...user.additionalGids, ...added])];
  return { ...user, additionalGids: additionalGids.filter((gid) => toHostId(idMap.gid, gid) !== undefined) };
}

function chooseHostname({ options, box }: BundleInput): string {
  const hostname = options.hostname ?? (options.network === "host" ? os().hostname() : box.id.slice(0, 12));
  if (hostname !== "" && hostname.length <= MAX_HOSTNAME) return hostname;
  throw new DevboxError("BAD_CONFIG", {
    step: `name the host "${hostname}"`,
    because: `a host name has 1 to ${MAX_HOSTNAME} characters`,
  });
}

function collectMounts(input: BundleInput, image: ImageExecution, layers: readonly string[]): RuntimeMount[] {
  const { options, idMap, box } = input;
  const imageStat = (target: string): Stats | undefined => findInRoot(layers, target)?.stat;
  const defaults = defaultMounts(options, idMap);
  const requested = options.mounts.flatMap((request) => (request.kind === "anonymous" ? [] : [request]));
  const surroundings = {
    imageMode: (target: string) => modeOf(imageStat(target)),
    isHostFile,
    storeRoot: input.storeRoot,
  };
  const further = [
    ...generatedMounts(box.directory),
    ...options.devices.map(deviceMount),
    ...requested.map((request) => requestedMount(request, surroundings)),
  ];
  const volumes = volumeMounts({
    targets: volumeTargets(options.mounts, image),
    mounts: [...defaults, ...further],
    readonlyRoot: options.readonlyRoot,
    imageStat,
    idMap,
    directory: `${box.directory}/volumes`,
  });
  return combineMounts(defaults, [...volumes, ...further]);
}

function modeOf(stat: Stats | undefined): number | undefined {
  return stat?.isDirectory() === true ? stat.mode & 0o7777 : undefined;
}

function volumeTargets(requests: readonly MountRequest[], image: ImageExecution): string[] {
  const asked = requests.flatMap((request) => (request.kind === "anonymous" ? [request.target] : []));
  const inherited = Object.keys(image.Volumes ?? {}).map((path) => posix.resolve("/", path));
  return [...asked, ...inherited].filter((path) => path !== "/");
}

/** Annotations are orders to a runtime where they begin so (crun's write to files of the host): no image gives any. */
function withoutOrders(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !name.startsWith("run.oci.")));
}

function runtimeConfig(
  input: BundleInput,
  image: ImageExecution,
  user: BoxUser,
  hostname: string,
  mounts: readonly RuntimeMount[],
): RuntimeConfig {
  const { options, network, source } = input;
  const stopSignal = options.stopSignal ?? image.StopSignal;
  return {
    // The oldest version that has all we write: crun before 1.14.3 refuses newer ones.
    ociVersion: "1.0.2",
    root: { path: source.kind === "directory" ? source.path : "rootfs", readonly: options.readonlyRoot },
    process: runtimeProcess(input, image, user, hostname),
    hostname,
    ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
    mounts,
    ...(Object.keys(network.hooks).length === 0 ? {} : { hooks: network.hooks }),
    // image-spec conversion.md "Annotation Fields": an explicit label wins over what is derived.
    annotations: {
      ...(stopSignal === undefined ? {} : { "org.opencontainers.image.stopSignal": stopSignal }),
      // For whoever stops the box; the image-spec has a name for the signal only.
      "devbox.stop-timeout-seconds": String(options.stopTimeoutSeconds),
      ...withoutOrders(image.Labels ?? {}),
      ...options.labels,
    },
    linux: linuxConfig(input),
  };
}

function runtimeProcess(input: BundleInput, image: ImageExecution, user: BoxUser, hostname: string): RuntimeProcess {
  const { options } = input;
  const { tty, env: requested } = options;
  const process: RuntimeProcess = {
    terminal: tty,
    cwd: posix.resolve("/", options.workdir ?? image.WorkingDir ?? "/"),
    env: boxEnvironment({ imageEnv: image.Env ?? [], requested, hostname, home: user.home, tty }),
    args: boxCommand(image, options),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    capabilities: input.capabilitySets(user.uid),
    rlimits: resourceLimits(options),
    noNewPrivileges: options.security.noNewPrivileges,
    ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
  };
  refuseNul(process);
  return process;
}

/** Of one name the last counts: two of a type are an error for OCI runtimes (runtime-spec config.md "POSIX process"). */
function resourceLimits({ ulimits }: BundleInput["options"]): readonly Rlimit[] {
  const limits = new Map(ulimits.map((limit) => [limit.name, limit]));
  return [...limits.values()].map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard }));
}

/** execve(2) would cut a string at its NUL, in silence. */
function refuseNul({ args, env, cwd }: RuntimeProcess): void {
  const bad = [...args, ...env, cwd].find((text) => text.includes("\0"));
  if (bad === undefined) return;
  throw new DevboxError("BAD_CONFIG", {
    step: "read the command",
    because: `${JSON.stringify(bad)} contains a NUL byte`,
  });
}

function linuxConfig({ options, idMap, seccomp }: BundleInput): LinuxConfig {
  const { masked, readonly } = protectedPaths(options);
  refuseHostSysctls(options);
  return {
    namespaces: boxNamespaces(options.network),
    uidMappings: idMap.uid,
    gidMappings: idMap.gid,
    sysctl: { ...defaultSysctls(options.network, idMap), ...options.sysctl },
    ...(Object.keys(options.resources).length === 0 ? {} : { resources: options.resources }),
    ...(seccomp === undefined ? {} : { seccomp }),
    maskedPaths: masked,
    readonlyPaths: readonly,
  };
}
