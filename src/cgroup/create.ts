/**
 * Making a container's control group: a directory in each tree. What is needed above it is made, too, and stays: runc and
 * crun do the same, and others may have begun to use it. Nothing that is there already is changed, but that version 2
 * groups above hand their controllers down.
 */
import { accessSync, constants, mkdirSync, rmdirSync } from "node:fs";
import { DevboxError, errnoName } from "../core/errors.ts";
import { enableControllers } from "./controllers.ts";
import { readControl, writeControl } from "./files.ts";
import { dirname, join, ownPath } from "./path.ts";
import { pidsIn } from "./processes.ts";
import type { Cgroup, CgroupLayout, OwnCgroups } from "./types.ts";

export interface CgroupRequest {
  readonly layout: CgroupLayout;
  /** Of `chooseCgroupPath`. */
  readonly path: string;
  readonly own: OwnCgroups;
  /** Whether trees that are closed to us are left out. */
  readonly rootless: boolean;
}

/** `unavailable`: this user, or this machine, does not let us; whether that is a failure depends on what was asked for. */
export type CgroupCreation =
  | { readonly kind: "created"; readonly cgroup: Cgroup }
  | { readonly kind: "unavailable"; readonly error: DevboxError };

/** The group as it will be where all trees are open to us. */
export function intendedCgroup({ layout, path }: Pick<CgroupRequest, "layout" | "path">): Cgroup {
  return { layout, path, directories: treesOf(layout).map((tree) => `${tree}${path}`) };
}

/** Where its directories are: once where controllers share a tree, and in the version 2 tree beside those of version 1. */
function treesOf(layout: CgroupLayout): readonly string[] {
  if (layout.version === 2) return [layout.mount];
  const unified = layout.unified === undefined ? [] : [layout.unified];
  return [...new Set([...Object.values(layout.mounts), ...unified])];
}

/** Makes the group, or removes what it has made and says why not. Throws where the group is there and in use. */
export function createCgroup(request: CgroupRequest): CgroupCreation {
  const { layout, path } = request;
  const made: string[] = [];
  try {
    const directories = layout.version === 2 ? makeUnified(request, layout.mount, made) : makeTrees(request, made);
    if (layout.version === 2 && request.rootless) requireWayIn(layout, request);
    return { kind: "created", cgroup: { layout, path, directories } };
  } catch (error) {
    for (const directory of made.reverse()) removeQuietly(directory);
    if (!isClosed(error)) throw error instanceof DevboxError ? error : cannotMake(path, error);
    return { kind: "unavailable", error: cannotMake(path, error) };
  }
}

function makeUnified(request: CgroupRequest, mount: string, made: string[]): readonly string[] {
  const leaf = makePath(mount, request.path, made, (parent, directory) => {
    enableControllers(parent);
    return () => requireDomain(directory);
  });
  return [leaf];
}

/** A directory in each tree. */
function makeTrees({ layout, path, rootless }: CgroupRequest, made: string[]): readonly string[] {
  if (layout.version !== 1) return [];
  const directories: string[] = [];
  let closed: unknown;
  for (const tree of treesOf(layout)) {
    try {
      const isCpuset = tree === layout.mounts["cpuset"];
      const inherit = (parent: string, directory: string) => () => inheritCpuset(parent, directory);
      directories.push(makePath(tree, path, made, isCpuset ? inherit : undefined));
    } catch (error) {
      if (!rootless || !isClosed(error)) throw error;
      closed = error;
    }
  }
  if (directories.length === 0) throw closed ?? new Error("no tree of control groups is mounted");
  return directories;
}

/** Makes `path` part by part below `tree`. `around` is called before a part is made, what it returns afterwards. */
function makePath(
  tree: string,
  path: string,
  made: string[],
  around?: (parent: string, directory: string) => () => void,
): string {
  let parent = tree;
  let isNew = false;
  for (const part of path.split("/").filter(Boolean)) {
    const directory = `${parent}/${part}`;
    const after = around?.(parent, directory);
    isNew = makeDirectory(directory);
    if (isNew) made.push(directory);
    after?.();
    parent = directory;
  }
  if (!isNew) requireUnused(parent, path);
  return parent;
}

/** Whether it was not there before. */
function makeDirectory(directory: string): boolean {
  try {
    mkdirSync(directory, 0o755);
    return true;
  } catch (error) {
    if (errnoName(error) === "EEXIST") return false;
    throw error;
  }
}

/** Whoever ends or freezes the container would do it to these processes as well; and a frozen group starts nothing. */
function requireUnused(directory: string, path: string): void {
  const [pid, ...more] = pidsIn([directory]);
  const step = `make the control group ${path}`;
  const hint = "give the container another linux.cgroupsPath";
  if (pid !== undefined) {
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    throw new DevboxError("CGROUP_FAILED", {
      step,
      because: `${directory} is in use by process ${pid}${others}`,
      hint,
    });
  }
  const isFrozen =
    readControl(directory, "cgroup.freeze") === "1" ||
    (readControl(directory, "freezer.state") ?? "THAWED") !== "THAWED";
  if (isFrozen) throw new DevboxError("CGROUP_FAILED", { step, because: `${directory} is there and frozen`, hint });
}

/** cgroups(7) "Thread mode": only groups of type `domain` hold the processes of containers with memory and io limits. */
function requireDomain(directory: string): void {
  const type = readControl(directory, "cgroup.type") ?? "domain";
  if (type === "domain") return;
  const because = {
    "domain invalid": `${dirname(directory)} is in threaded mode, so no group in it can have processes of its own`,
    threaded: "it is in threaded mode, where neither memory nor io can be limited",
    "domain threaded": "groups in it are in threaded mode, where neither memory nor io can be limited",
  }[type];
  throw new DevboxError("CGROUP_FAILED", {
    step: `make the control group ${directory}`,
    because: because ?? `its type is ${type}`,
    hint: "give the container another linux.cgroupsPath",
  });
}

/** A new version 1 cpuset has no processors and no memory, and takes no process before it has (cpuset(7)). */
function inheritCpuset(parent: string, directory: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (readControl(directory, file) !== "") continue;
    const inherited = readControl(parent, file);
    if (inherited !== undefined && inherited !== "") writeControl(directory, file, inherited);
  }
}

/**
 * Who moves a process must be able to write cgroup.procs of the common ancestor of both groups, not only of the new one
 * (cgroups(7) "Cgroups delegation containment"): outside of what is delegated to us we can make groups, but not enter them.
 */
function requireWayIn(layout: Extract<CgroupLayout, { version: 2 }>, { path, own }: CgroupRequest): void {
  const here = ownPath(layout, own).split("/").filter(Boolean);
  const there = path.split("/").filter(Boolean);
  const apart = there.findIndex((part, index) => part !== here[index]);
  const ancestor = join(layout.mount, `/${there.slice(0, apart === -1 ? there.length : apart).join("/")}`);
  accessSync(`${ancestor}/cgroup.procs`, constants.W_OK);
}

/** cgroupfs says EACCES to who is not the owner, EPERM outside of a namespace of groups, EROFS in containers. */
function isClosed(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(errnoName(error) ?? "");
}

function cannotMake(path: string, cause: unknown): DevboxError {
  const code = isClosed(cause) ? "CGROUP_UNAVAILABLE" : "CGROUP_FAILED";
  return new DevboxError(code, { step: `make the control group ${path}`, cause });
}

function removeQuietly(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody else has begun to use it meanwhile: it is theirs now.
  }
}
