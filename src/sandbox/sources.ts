/**
 * Sources of bind mounts that are open before the mounts are made: by the launcher, for what only the host's root may do
 * (idmapped.ts), or by the first steps in the box, for mounts that are to stay the host's peers.
 */
import { F_DUPFD_CLOEXEC, MS_SHARED, O_CLOEXEC } from "../../ffi/constants.ts";
import { EACCES, EBADF } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeConfig, RuntimeMount } from "../oci/runtime.ts";
import { cloneTree } from "./detached.ts";
import { isIdmapped, mountsToOpen } from "./idmapped.ts";
import type { SandboxInput } from "./input.ts";
import { parseMountOptions } from "./mount-options.ts";
import { firstSourceFd, maxSources } from "./numbers.ts";
import type { RootPlan } from "./paths.ts";
import { jumpTo } from "./steps.ts";

export interface OpenedSources {
  /** Number of the descriptor of the root file system. */
  readonly root: number | undefined;
  readonly numbers: ReadonlyMap<RuntimeMount, number>;
  /** Those of them that the mount is made of; the others serve where the way to a source is closed. */
  readonly taken: ReadonlySet<RuntimeMount>;
}

/** What decides which mounts a launcher opens. */
interface LauncherMountsInput extends Pick<SandboxInput, "rootfs" | "facts" | "idMap"> {
  readonly config: Pick<RuntimeConfig, "mounts" | "linux">;
}

/** The mounts of a box that its launcher is to open beforehand: `NamespaceInput.idmappedMounts`, and `SandboxInput.openedMounts`. */
export function launcherMounts({ config, rootfs, facts, idMap }: LauncherMountsInput): readonly RuntimeMount[] {
  return mountsToOpen({
    namespaces: config.linux.namespaces,
    mounts: config.mounts,
    root: rootfs.kind === "directory" ? rootfs.path : undefined,
    idMap,
    uid: facts.uid,
  });
}

/**
 * What is open when the mounts are made; the steps open what must be opened before all mounts become slaves of the host's.
 * In a user namespace of its own a mount namespace is a slave of the host's anyway (mount_namespaces(7)).
 */
export function openSourcesFirst(context: RootPlan, input: SandboxInput): OpenedSources {
  const byLauncher = input.openedMounts ?? [];
  const numbers = new Map(byLauncher.map((mount, index) => [mount, firstSourceFd + index]));
  const taken = new Set(byLauncher.filter(isIdmapped));
  const root = byLauncher.find(({ destination, type }) => destination === "/" && type === undefined);
  const { namespaces } = input.config.linux;
  if (!namespaces.some(({ type }) => type === "user")) {
    for (const mount of input.config.mounts.filter(isShared)) {
      numbers.set(mount, openShared(context, mount, firstSourceFd + numbers.size));
      taken.add(mount);
    }
  }
  return { root: root === undefined ? undefined : numbers.get(root), numbers, taken };
}

function isShared({ options = [], type }: RuntimeMount): boolean {
  const { bind, remount, propagation } = parseMountOptions(options, type);
  return bind && !remount && propagation === MS_SHARED;
}

function openShared(
  context: RootPlan,
  { source = "", destination, options = [], type }: RuntimeMount,
  number: number,
): number {
  if (number >= firstSourceFd + maxSources) {
    const because = `more than ${maxSources} mounts are shared or have id maps`;
    throw new DevboxError("BAD_CONFIG", { step: `bind ${source} on ${destination}`, because });
  }
  cloneTree(context, `bind ${source} on ${destination}`, { path: source }, parseMountOptions(options, type).recursive);
  context.plan.syscall(`keep ${source}`, "dup3", [context.mount, number, O_CLOEXEC]);
  return number;
}

/** Steps that leave the source of a bind mount, detached, in `mount`. */
export function takeSource(context: RootPlan, mount: RuntimeMount, label: string, opened: OpenedSources): void {
  const { recursive } = parseMountOptions(mount.options ?? [], mount.type);
  const path = mount.source ?? "";
  takeTree(context, { path, label, recursive, number: opened.numbers.get(mount), only: opened.taken.has(mount) });
}

interface TreeRequest {
  readonly path: string;
  readonly label: string;
  readonly recursive: boolean;
  /** Of the descriptor that is open already. */
  readonly number: number | undefined;
  /** It is the one to take; else it serves where the way to `path` is closed. */
  readonly only: boolean;
}

/** Steps that leave a copy of the tree at `path` in `mount`. */
export function takeTree(context: RootPlan, { path, label, recursive, number, only }: TreeRequest): void {
  const { plan, mount } = context;
  if (number === undefined) {
    cloneTree(context, label, { path }, recursive);
    return;
  }
  const duplicate = [number, F_DUPFD_CLOEXEC, 0] as const;
  if (only) {
    plan.syscall(label, "fcntl", duplicate, { save: mount.slot });
    return;
  }
  const [closed, nowhere, taken] = [plan.mark("the way is closed"), plan.mark("not open"), plan.mark("taken")];
  cloneTree(context, label, { path }, recursive, closed, [EACCES]);
  jumpTo(plan, taken);
  plan.here(closed);
  plan.syscall(label, "fcntl", duplicate, { save: mount.slot, tolerate: [EBADF], onError: nowhere });
  jumpTo(plan, taken);
  plan.here(nowhere);
  plan.add({ kind: "fail", label, errno: EACCES });
  plan.here(taken);
}

/** Steps that close what is left of them. */
export function closeSourcesAfter({ plan }: RootPlan, { numbers }: OpenedSources): void {
  if (numbers.size > 0)
    plan.syscall("close the sources of mounts", "close_range", [firstSourceFd, firstSourceFd + numbers.size - 1, 0]);
}
