/**
 * Where the files of a box are, as plans that lead a copy worker there (image/workers/copy-process.ts): of a box that runs, the
 * root that its processes see, from its own user namespace; of another one, its layers mounted anew.
 */
import { existsSync } from "node:fs";
import {
  AT_FDCWD,
  AT_RECURSIVE,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  SIGKILL,
} from "../../ffi/constants.ts";
import { EINVAL, ELOOP, ENOENT, ENOTDIR, EPERM } from "../../ffi/errno.ts";
import { openHow } from "../../ffi/structs.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import type { HostFacts } from "../host/facts.ts";
import type { PlanCopier, UnpackRequest } from "../image/workers/copy-process.ts";
import { beginPlan, type PlanBuilder } from "../launch/plan.ts";
import { cloneWithUserNamespace } from "../launch/userns.ts";
import type { IdMap, RuntimeMount } from "../oci/runtime.ts";
import { rootPlan } from "../sandbox/paths.ts";
import { assembleRoot, mountLayers } from "../sandbox/rootfs.ts";

/** The init process of a box. */
export interface RunningBox {
  /** As the host counts. */
  readonly pid: number;
  readonly pidfd: number;
}

/** A worker in the user namespace of a box that runs; its mount namespace stays the host's, where devbox is. */
export function joinedCopier({ pid, pidfd }: RunningBox): PlanCopier {
  return (execute) => {
    const plan = beginPlan("copy files of a box");
    const target = plan.fd("target");
    const child = plan.fork("start the copy worker", 0, () => {
      dieWithLauncher(plan);
      plan.syscall("enter the user namespace of the box", "setns", [target, CLONE_NEWUSER]);
      // EPERM: a namespace with a single id; EINVAL: one without id 0.
      plan.syscall("drop supplementary groups", "setgroups", [0, 0], { tolerate: [EPERM] });
      plan.syscall("become group 0 of the box", "setresgid", [0, 0, 0], { tolerate: [EINVAL] });
      plan.syscall("become user 0 of the box", "setresuid", [0, 0, 0], { tolerate: [EINVAL] });
      dieWithLauncher(plan);
      plan.syscall("own /proc/self", "prctl", [PR_SET_DUMPABLE, 1, 0, 0, 0]);
      const root = { slot: plan.slot() };
      const path = plan.string(`/proc/${pid}/root`);
      plan.syscall("open the root of the box", "openat", [AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
        save: root.slot,
      });
      // The number was still that of the process when its root was opened, if the process lives now.
      plan.syscall("see that the box still runs", "pidfd_send_signal", [target, 0, 0, 0]);
      execute(plan, root);
    });
    plan.add({ kind: "supervise", slot: child, tied: true });
    return { plan: plan.finish(), fds: { target: pidfd } };
  };
}

/** Once more after every change of ids, which makes the kernel forget it (prctl(2)). */
function dieWithLauncher(plan: PlanBuilder): void {
  plan.syscall("die with the launcher", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}

export interface RestingBox {
  readonly facts: HostFacts;
  readonly idMap: IdMap;
  readonly rootfs: RootfsPlan;
  readonly storeRoot: string;
  /** Existing directory, as in `SandboxInput`. */
  readonly mountpoint: string;
  /** Its volumes and directories of the host. */
  readonly mounts: readonly RuntimeMount[];
}

/** A worker in namespaces like those of a box that does not run, which must not be started meanwhile. */
export function mountedCopier(box: RestingBox): PlanCopier {
  return (execute) => {
    const plan = beginPlan("copy files of a box");
    const request = { label: "create the namespaces", flags: CLONE_NEWNS, map: box.idMap, host: box.facts };
    const child = cloneWithUserNamespace(plan, request, () => {
      const context = rootPlan(plan);
      assembleRoot(context, box);
      for (const mount of box.mounts) bindOver(plan, context.root, mount);
      execute(plan, context.root);
    });
    plan.add({ kind: "supervise", slot: child, tied: true });
    return { plan: plan.finish(), fds: {} };
  };
}

/** What is bound onto a place of the root, if both are there. */
function bindOver(plan: PlanBuilder, root: { readonly slot: number }, { source, destination }: RuntimeMount): void {
  if (source === undefined || !existsSync(source)) return;
  const [tree, place] = [{ slot: plan.slot() }, { slot: plan.slot() }];
  const label = `mount ${source} on ${destination}`;
  const missing = plan.mark(`no ${destination}`);
  const how = openHow({ flags: O_PATH | O_CLOEXEC, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
  plan.syscall(label, "openat2", [root, plan.string(destination), plan.bytes(how), how.length], {
    save: place.slot,
    tolerate: [ENOENT, ENOTDIR, ELOOP],
    onError: missing,
  });
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE;
  plan.syscall(label, "open_tree", [AT_FDCWD, plan.string(source), flags], { save: tree.slot });
  const attach = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  plan.syscall(label, "move_mount", [tree, plan.string(""), place, plan.string(""), attach]);
  plan.here(missing);
}

/** Of a copy of such a worker: files as the image has them, in nothing less. */
export const asInImage = {
  into: "inside",
  owner: "archive",
  xattrs: [""],
  specialBits: true,
  topMetadata: true,
} as const satisfies Partial<UnpackRequest>;

export interface ImageLayers {
  readonly facts: HostFacts;
  readonly idMap: IdMap;
  readonly storeRoot: string;
  /** Topmost first, relative to the store; one at least. */
  readonly lowers: readonly string[];
  /** Existing directory whose content the worker does not need. */
  readonly mountpoint: string;
}

/** A worker that sees what an image has, in the user namespace whose ids its layers have. */
export function layersCopier({ facts, idMap, storeRoot, lowers, mountpoint }: ImageLayers): PlanCopier {
  return (execute) => {
    const plan = beginPlan("fill a volume");
    const request = { label: "create the namespaces", flags: CLONE_NEWNS, map: idMap, host: facts };
    const child = cloneWithUserNamespace(plan, request, () => {
      const [only = "", ...others] = lowers;
      if (others.length > 0) mountLayers(plan, lowers, { storeRoot, mountpoint });
      const path = others.length > 0 ? mountpoint : `${storeRoot}/${only}`;
      const root = { slot: plan.slot() };
      plan.syscall(
        "open the image's files",
        "openat",
        [AT_FDCWD, plan.string(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0],
        { save: root.slot },
      );
      execute(plan, root);
    });
    plan.add({ kind: "supervise", slot: child, tied: true });
    return { plan: plan.finish(), fds: {} };
  };
}
