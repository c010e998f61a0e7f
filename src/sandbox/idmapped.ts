/**
 * Mounts with id maps of their own (runtime-spec config.md "uidMappings", options `idmap` and `ridmap`;
 * mount_setattr(2) MOUNT_ATTR_IDMAP). Only who has CAP_SYS_ADMIN where a file system was mounted may map its ids: for those
 * of the host this is root of the host, before the box is in a user namespace of its own. So the launcher opens them
 * beforehand, and leaves the detached mounts at numbers for the plan of the box.
 */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  CLONE_NEWUSER,
  MOUNT_ATTR_IDMAP,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../ffi/constants.ts";
import { EACCES, ENOENT, ENOTDIR, EPERM } from "../../ffi/errno.ts";
import { DevboxError } from "../core/errors.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import { mapLines } from "../launch/userns.ts";
import type { IdMap, IdMapping, Namespace, RuntimeMount } from "../oci/runtime.ts";
import { changeMount, mountAttr, mountAttrSize, mountAttrUserns } from "./detached.ts";
import { parseMountOptions } from "./mount-options.ts";
import { firstSourceFd, maxSources } from "./numbers.ts";
import type { Slot } from "./steps.ts";

/** What decides who opens a mount. */
export interface Opening {
  readonly namespaces: readonly Namespace[];
  readonly mounts: readonly RuntimeMount[];
  /** Directory that is the root file system; undefined: it is put together in the box. */
  readonly root: string | undefined;
  /** Of the new user namespace. */
  readonly idMap: IdMap | undefined;
  /** Who calls. */
  readonly uid: number;
}

/**
 * The mounts that the launcher opens for the box, in the order of their descriptors. For root of the host, who gives the
 * box a user namespace: those with id maps; and where the box's root is somebody else, every source and the root file system
 * (as a mount on `/`), because the way there may be closed to that one (a bundle below /root). Nobody else could open more
 * than the box itself can.
 */
export function mountsToOpen({ namespaces, mounts, root, idMap, uid }: Opening): readonly RuntimeMount[] {
  if (uid !== 0 || !namespaces.some(({ type }) => type === "user")) return [];
  const mapped = mounts.filter((mount) => isBind(mount) && isIdmapped(mount));
  if (idMap?.uid.some(({ containerID, hostID }) => containerID === 0 && hostID === 0) === true) return mapped;
  const rootMount: RuntimeMount[] = root === undefined ? [] : [{ destination: "/", source: root, options: ["rbind"] }];
  // Those that must be there first: what exceeds the numbers that there are, the box opens itself.
  const others = mounts.filter((mount) => isBind(mount) && !isIdmapped(mount));
  return [...rootMount, ...mapped, ...others].slice(0, Math.max(maxSources, rootMount.length + mapped.length));
}

function isBind({ options = [], type }: RuntimeMount): boolean {
  const { bind, remount } = parseMountOptions(options, type);
  return bind && !remount;
}

/** Has it an id map of its own, by mappings or by option? */
export function isIdmapped({ options = [], type, uidMappings = [], gidMappings = [] }: RuntimeMount): boolean {
  return uidMappings.length + gidMappings.length > 0 || parseMountOptions(options, type).idmap !== undefined;
}

/**
 * Steps of the launcher, before it makes the box's namespaces: open `mounts` (of `mountsToOpen`), give those with an id map
 * theirs, and leave them at the descriptors from `firstSourceFd` on.
 * @throws DevboxError BAD_CONFIG for an id map that is not whole, or too many of them
 */
export function openSources(plan: PlanBuilder, mounts: readonly RuntimeMount[], idMap: IdMap | undefined): void {
  if (mounts.length > maxSources) {
    const because = `${mounts.length} mounts with id maps are more than the ${maxSources} that are possible`;
    throw new DevboxError("BAD_CONFIG", { step: "read the mounts", because });
  }
  plan.scoped(() => {
    const namespaces = makeUserNamespaces(
      plan,
      mounts.filter(isIdmapped).map((mount) => mapOf(mount, idMap)),
    );
    for (const [index, mount] of mounts.entries())
      plan.scoped(() => {
        const namespace = isIdmapped(mount) ? namespaces.get(JSON.stringify(mapOf(mount, idMap))) : undefined;
        openSource(plan, mount, firstSourceFd + index, namespace);
      });
    for (const slot of namespaces.values()) plan.syscall("close a user namespace", "close", [slot]);
  });
}

/** Steps of the launcher that close them on its side, when the box has its own. */
export function closeSources(plan: PlanBuilder, count: number): void {
  if (count > 0)
    plan.syscall("close the mounts of the box", "close_range", [firstSourceFd, firstSourceFd + count - 1, 0]);
}

function openSource(plan: PlanBuilder, mount: RuntimeMount, number: number, namespace: Slot | undefined): void {
  const { source = "", destination, options = [], type } = mount;
  const { recursive } = parseMountOptions(options, type);
  const opened = { slot: plan.slot() };
  const done = plan.mark("opened");
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  plan.syscall(`bind ${source} on ${destination}`, "open_tree", [AT_FDCWD, plan.string(source), flags], {
    save: opened.slot,
    // What has no map, the box opens itself, and says why it cannot.
    ...(namespace === undefined ? { tolerate: [ENOENT, ENOTDIR, EACCES, EPERM], onError: done } : {}),
  });
  // A copy of a shared mount is its peer: what is mounted in it later would appear on the host (mount_namespaces(7)).
  const slave = { propagation: MS_SLAVE };
  changeMount(plan, opened, `keep mounts below ${destination} from the host`, slave, recursive ? AT_RECURSIVE : 0);
  if (namespace !== undefined) applyIdMap(plan, mount, opened, namespace);
  plan.syscall(`keep ${source}`, "dup3", [opened, number, O_CLOEXEC]);
  plan.syscall("close a descriptor", "close", [opened]);
  plan.here(done);
}

/** Steps that map the ids of the detached mount in `opened`, within a box. Its map is in ids of the namespace around. */
export function mapIdsInBox(plan: PlanBuilder, mount: RuntimeMount, opened: Slot, idMap: IdMap | undefined): void {
  const map = mapOf(mount, idMap);
  plan.scoped(() => {
    const namespace = makeUserNamespace(plan, idMap === undefined ? map : withinBox(mount, map, idMap));
    applyIdMap(plan, mount, opened, namespace);
    plan.syscall("close a user namespace", "close", [namespace]);
  });
}

/**
 * The map of a mount: its own, or for an option alone that of the box.
 * @throws DevboxError BAD_CONFIG where one half is missing, or there is none at all (config.md "idmap")
 */
function mapOf({ destination, uidMappings = [], gidMappings = [] }: RuntimeMount, idMap: IdMap | undefined): IdMap {
  const refuse = (because: string): never => {
    throw new DevboxError("BAD_CONFIG", { step: `map the ids of the mount ${destination}`, because });
  };
  if (uidMappings.length > 0 && gidMappings.length > 0) return { uid: uidMappings, gid: gidMappings };
  if (uidMappings.length + gidMappings.length > 0) return refuse("it needs both uidMappings and gidMappings");
  return (
    idMap ??
    refuse("it names no uidMappings and gidMappings, and there is no new user namespace whose map it could have")
  );
}

/** The host ids of a map, as they are called in the box. */
function withinBox({ destination }: RuntimeMount, map: IdMap, idMap: IdMap): IdMap {
  const translate = (mappings: readonly IdMapping[], outer: readonly IdMapping[]): IdMapping[] =>
    mappings.map(({ containerID, hostID, size }) => {
      const range = outer.find((each) => each.hostID <= hostID && hostID + size <= each.hostID + each.size);
      if (range === undefined) {
        const because = `the box does not have the host's ids ${hostID} to ${hostID + size - 1}`;
        throw new DevboxError("BAD_CONFIG", { step: `map the ids of the mount ${destination}`, because });
      }
      return { containerID, hostID: range.containerID + hostID - range.hostID, size };
    });
  return { uid: translate(map.uid, idMap.uid), gid: translate(map.gid, idMap.gid) };
}

function applyIdMap(
  plan: PlanBuilder,
  { destination, options = [], type }: RuntimeMount,
  opened: Slot,
  namespace: Slot,
): void {
  const attr = plan.bytes(mountAttr({ set: MOUNT_ATTR_IDMAP }));
  plan.add({ kind: "store", slot: namespace.slot, into: attr.data, offset: mountAttrUserns, width: 8 });
  const flags = AT_EMPTY_PATH | (parseMountOptions(options, type).idmap === "tree" ? AT_RECURSIVE : 0);
  const label = `map the ids of the mount ${destination}`;
  plan.syscall(label, "mount_setattr", [opened, plan.string(""), flags, attr, mountAttrSize]);
}

/** Steps that make a user namespace for each different one of `maps`: by its text, the slot of its descriptor. */
function makeUserNamespaces(plan: PlanBuilder, maps: readonly IdMap[]): ReadonlyMap<string, Slot> {
  const made = new Map<string, Slot>();
  for (const map of maps) {
    const key = JSON.stringify(map);
    if (!made.has(key)) made.set(key, makeUserNamespace(plan, map));
  }
  return made;
}

/**
 * Steps that make a user namespace which nobody lives in: a child is born into it, gets its maps, and goes. In a box the
 * child's number is another one than in the /proc of the host, which is what there is before the box has its own: so the
 * child itself reads there what it is called.
 */
function makeUserNamespace(plan: PlanBuilder, map: IdMap): Slot {
  const label = "make a user namespace for the ids of a mount";
  const namespace = { slot: plan.slot() };
  plan.scoped(() => {
    const [release, told] = [plan.pipe(label), plan.pipe(label)];
    const child = plan.fork(label, CLONE_NEWUSER, () => beAsked(plan, release, told));
    for (const end of [release.read, told.write]) plan.syscall("close the child's end", "close", [{ slot: end }]);
    const name = plan.buffer(nameLength);
    plan.syscall(label, "read", [{ slot: told.read }, name, nameLength]);
    plan.syscall("close the pipe", "close", [{ slot: told.read }]);
    const [proc, directory] = [{ slot: plan.slot() }, { slot: plan.slot() }];
    const openDirectory = O_PATH | O_DIRECTORY | O_CLOEXEC;
    plan.syscall("open /proc", "openat", [AT_FDCWD, plan.string("/proc"), openDirectory, 0], { save: proc.slot });
    plan.syscall(label, "openat", [proc, name, openDirectory, 0], { save: directory.slot });
    writeMap(plan, directory, "uid_map", map.uid);
    writeMap(plan, directory, "gid_map", map.gid);
    plan.syscall(label, "openat", [directory, plan.string("ns/user"), O_RDONLY | O_CLOEXEC, 0], {
      save: namespace.slot,
    });
    for (const slot of [proc, directory]) plan.syscall("close a descriptor", "close", [slot]);
    plan.syscall("let the child go", "close", [{ slot: release.write }]);
    plan.waitForSuccess(label, child);
  });
  return namespace;
}

const nameLength = 24;

interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** Steps of the child: it tells its number, and waits for the end of the other pipe. */
function beAsked(plan: PlanBuilder, release: Pipe, told: Pipe): void {
  plan.syscall("close the parent's end", "close", [{ slot: release.write }]);
  plan.syscall("die with the parent", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  const name = plan.buffer(nameLength);
  plan.syscall("read its own number", "readlinkat", [AT_FDCWD, plan.string("/proc/self"), name, nameLength - 1]);
  plan.syscall("tell it", "write", [{ slot: told.write }, name, nameLength]);
  plan.syscall("wait for the id maps", "read", [{ slot: release.read }, plan.buffer(1), 1]);
}

function writeMap(plan: PlanBuilder, directory: Slot, name: string, mappings: readonly IdMapping[]): void {
  plan.scoped(() => {
    const file = { slot: plan.slot() };
    const text = new TextEncoder().encode(mapLines(mappings));
    plan.syscall(`open ${name}`, "openat", [directory, plan.string(name), O_WRONLY | O_CLOEXEC, 0], {
      save: file.slot,
    });
    plan.syscall(`write the ${name} of a mount`, "write", [file, plan.bytes(text), text.length]);
    plan.syscall(`close ${name}`, "close", [file]);
  });
}
