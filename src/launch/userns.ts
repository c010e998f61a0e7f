/**
 * Steps that begin a process in namespaces of its own, in its control groups, with the id maps of its user namespace
 * written (user_namespaces(7)).
 *
 * The child waits on a pipe for all that; the launcher writes the maps, itself where it may, else through newuidmap(1) and
 * newgidmap(1), which run side by side. A launcher that fails or dies lets the child go: the pipe ends, and from then on
 * PR_SET_PDEATHSIG holds, unless the child is to outlive the launcher. A change of ids makes the kernel forget that for a moment
 * (prctl(2)): so the launcher keeps its end of the pipe, and the child looks once more whether it is there.
 */
import {
  AT_FDCWD,
  CLONE_NEWCGROUP,
  CLONE_NEWUSER,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_WRONLY,
  PR_SET_DUMPABLE,
  PR_SET_PDEATHSIG,
  SIGKILL,
} from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { IdMap, IdMapping } from "../oci/runtime.ts";
import type { PlanBuilder } from "./plan.ts";
import { forkThrough } from "./through.ts";

/** What of the host decides how maps are written. */
export type MapWriter = Pick<HostFacts, "uid" | "gid" | "helpers">;

export interface CloneRequest {
  /** Of the clone, for the user: "create the namespaces of the box". */
  readonly label: string;
  /** CLONE_NEW* of the namespaces, but CLONE_NEWUSER. */
  readonly flags: number;
  /** The child lives on when the launcher ends after it has released it; left out: it is killed with the launcher. */
  readonly unsupervised?: boolean;
  /**
   * Names of descriptors that are handed over: `cgroup.procs` files, open for writing. The child is in these groups before
   * anything of it runs, and the root of its cgroup namespace, if it gets one, is there (cgroup_namespaces(7)).
   */
  readonly cgroups?: readonly string[];
  /** Steps of a process that clones the child in the launcher's stead, and thus decides where it begins (through.ts). */
  readonly through?: () => void;
  /** Steps of the launcher when the child is there and its maps are written, but before it runs; given the slot of its pid. */
  readonly beforeRelease?: (pid: number) => void;
}

export interface UserNamespaceRequest extends CloneRequest {
  readonly map: IdMap;
  readonly host: MapWriter;
}

/**
 * Clone a child into a new user namespace (and those of `flags`) and give it its id maps. `child` appends what it does then:
 * as id 0 of the namespace if the map has it, without supplementary groups where they may be dropped, and killed with the launcher.
 * The launcher continues when the maps are written and the child is released; the slot returned holds the child's pid.
 * Throws NO_NEWUIDMAP if the map needs the helper programs and the host does not have them.
 */
export function cloneWithUserNamespace(plan: PlanBuilder, request: UserNamespaceRequest, child: () => void): number {
  const { map, host } = request;
  const writer = chooseWriter(map, host);
  return cloneReleased(
    plan,
    { ...request, flags: request.flags | CLONE_NEWUSER },
    {
      prepare: (pid, meanwhile) => {
        if (writer.kind === "helpers") mapWithHelpers(plan, pid, map, writer, meanwhile);
        else {
          mapDirectly(plan, pid, map, writer.kind === "single");
          meanwhile();
        }
      },
      child: (launcherEnd) => {
        becomeRoot(plan, map, writer.kind !== "single");
        // A change of ids makes the kernel forget the first and clear the second; without it /proc/self is closed to us (prctl(2)).
        if (launcherEnd !== undefined) {
          dieWithLauncher(plan);
          requireLauncher(plan, launcherEnd);
        }
        plan.syscall("own /proc/self", "prctl", [PR_SET_DUMPABLE, 1, 0, 0, 0]);
        child();
      },
    },
  );
}

/** The same without a user namespace: whoever launches must have the right to make those of `flags`. */
export function cloneProcess(plan: PlanBuilder, request: CloneRequest, child: () => void): number {
  return cloneReleased(plan, request, { prepare: (_, meanwhile) => meanwhile(), child });
}

interface ReleasedSteps {
  /** Steps of the launcher, given the child's pid; `meanwhile` appends the rest of its work, which needs none of them. */
  readonly prepare: (pid: number, meanwhile: () => void) => void;
  /** Given the end of a pipe, to close, that hangs up when the launcher is gone; not where the child may outlive it, or keeps its ids. */
  readonly child: (launcherEnd: number | undefined) => void;
}

/**
 * Clone a child that waits until the launcher has done what `prepare` appends for it.
 */
function cloneReleased(
  plan: PlanBuilder,
  { label, flags, unsupervised = false, cgroups = [], through, beforeRelease }: CloneRequest,
  { prepare, child }: ReleasedSteps,
): number {
  const release = plan.pipe("make the pipe that releases the child");
  // Made by clone, the cgroup namespace would have the launcher's group as its root.
  const isWatched = !unsupervised && (flags & CLONE_NEWUSER) !== 0;
  const late = cgroups.length > 0 ? flags & CLONE_NEWCGROUP : 0;
  const inChild = (): void => {
    plan.syscall("close the launcher's end", "close", [{ slot: release.write }]);
    if (!unsupervised) dieWithLauncher(plan);
    awaitRelease(plan, release.read);
    if (!isWatched) plan.syscall("close the pipe", "close", [{ slot: release.read }]);
    if (late !== 0) plan.syscall("make the cgroup namespace", "unshare", [late]);
    child(isWatched ? release.read : undefined);
  };
  const pid =
    through === undefined
      ? plan.fork(label, flags & ~late, inChild)
      : forkThrough(plan, { label, flags: flags & ~late, through }, inChild);
  plan.syscall("close the child's end", "close", [{ slot: release.read }]);
  prepare(pid, () => enterCgroups(plan, pid, cgroups));
  beforeRelease?.(pid);
  plan.syscall("release the child", "write", [{ slot: release.write }, plan.bytes(new Uint8Array([1])), 1]);
  if (!isWatched) plan.syscall("close the pipe", "close", [{ slot: release.write }]);
  return pid;
}

function enterCgroups(plan: PlanBuilder, pid: number, cgroups: readonly string[]): void {
  if (cgroups.length === 0) return;
  const digits = plan.buffer(21);
  plan.add({ kind: "format", slot: pid, into: digits.data, offset: 0 });
  // The kernel reads as far as the NUL behind the digits (cgroups(7), "cgroup.procs").
  for (const name of cgroups)
    plan.syscall("put the box into its control group", "write", [plan.fd(name), digits, digits.data.bytes.length]);
}

function dieWithLauncher(plan: PlanBuilder): void {
  plan.syscall("die with the launcher", "prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}

/** In the child: end if the launcher was gone before its death could tell us. */
function requireLauncher(plan: PlanBuilder, launcherEnd: number): void {
  const [there, polled] = [plan.mark("the launcher is there"), { bytes: new Uint8Array(8) }];
  plan.add({ kind: "store", slot: launcherEnd, into: polled, offset: 0, width: 4 });
  // A pipe that hangs up is told without being asked for (poll(2), POLLHUP); a time of nothing does not wait.
  const atOnce = plan.buffer(16);
  plan.syscall("is the launcher still there?", "ppoll", [{ data: polled }, 1, atOnce, 0, 0], { onZero: there });
  plan.add({ kind: "exit", code: 125 });
  plan.here(there);
  plan.syscall("close the pipe", "close", [{ slot: launcherEnd }]);
}

type Writer =
  | { readonly kind: "root" }
  /** One id, our own: everybody may map it, but supplementary groups must be given up (user_namespaces(7), setgroups). */
  | { readonly kind: "single" }
  | { readonly kind: "helpers"; readonly newuidmap: string; readonly newgidmap: string };

function chooseWriter(map: IdMap, host: MapWriter): Writer {
  if (host.uid === 0) return { kind: "root" };
  if (isOnly(map.uid, host.uid) && isOnly(map.gid, host.gid)) return { kind: "single" };
  const { newuidmap, newgidmap } = host.helpers;
  if (newuidmap !== undefined && newgidmap !== undefined) return { kind: "helpers", newuidmap, newgidmap };
  const missing = newuidmap === undefined ? "newuidmap" : "newgidmap";
  throw new DevboxError("NO_NEWUIDMAP", { step: "map the ids of the box", because: `${missing} is not installed` });
}

function isOnly(mappings: readonly IdMapping[], hostId: number): boolean {
  return mappings.length === 1 && mappings[0]?.hostID === hostId && mappings[0].size === 1;
}

/** In the child: wait for the launcher; end quietly if the launcher has failed, which it has reported itself. */
function awaitRelease(plan: PlanBuilder, read: number): void {
  const released = plan.mark("released");
  const givenUp = plan.mark("the launcher has failed");
  plan.syscall("wait for the launcher", "read", [{ slot: read }, plan.buffer(1), 1], { onZero: givenUp });
  plan.add({ kind: "jump", to: released });
  plan.here(givenUp);
  plan.add({ kind: "exit", code: 125 });
  plan.here(released);
}

/**
 * Root, or where a namespace has none its lowest id: who has no id there cannot make files (EOVERFLOW). Its capabilities do not
 * hang on the number (user_namespaces(7)).
 */
function becomeRoot(plan: PlanBuilder, map: IdMap, mayDropGroups: boolean): void {
  if (mayDropGroups) plan.syscall("drop supplementary groups", "setgroups", [0, 0]);
  const [gid, uid] = [lowestId(map.gid), lowestId(map.uid)];
  if (gid !== undefined) plan.syscall(`become group ${gid} of the user namespace`, "setresgid", [gid, gid, gid]);
  if (uid !== undefined) plan.syscall(`become user ${uid} of the user namespace`, "setresuid", [uid, uid, uid]);
}

function lowestId(mappings: readonly IdMapping[]): number | undefined {
  const ids = mappings.filter(({ size }) => size > 0).map(({ containerID }) => containerID);
  return ids.length === 0 ? undefined : Math.min(...ids);
}

/** newuidmap PID CONTAINER HOST SIZE …, newgidmap at the same time, and `meanwhile` as well. */
function mapWithHelpers(
  plan: PlanBuilder,
  pid: number,
  map: IdMap,
  helpers: { readonly newuidmap: string; readonly newgidmap: string },
  meanwhile: () => void,
): void {
  const digits = plan.buffer(24);
  plan.add({ kind: "format", slot: pid, into: digits.data, offset: 0 });
  const start = (name: string, path: string, mappings: readonly IdMapping[]): number => {
    const numbers = mappings.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String));
    return plan.fork(`start ${name}`, 0, () => {
      const argv = plan.vector([name, digits, ...numbers]);
      plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, plan.vector([])]);
    });
  };
  const uid = start("newuidmap", helpers.newuidmap, map.uid);
  const gid = start("newgidmap", helpers.newgidmap, map.gid);
  meanwhile();
  plan.waitForSuccess("newuidmap", uid);
  plan.waitForSuccess("newgidmap", gid);
}

function mapDirectly(plan: PlanBuilder, pid: number, map: IdMap, denySetgroups: boolean): void {
  const prefix = "/proc/";
  const path = plan.buffer(prefix.length + 24);
  path.data.bytes.set(new TextEncoder().encode(prefix));
  plan.add({ kind: "format", slot: pid, into: path.data, offset: prefix.length });
  const directory = plan.slot();
  plan.syscall("open /proc of the child", "openat", [AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0], {
    save: directory,
  });
  // Before gid_map, which an ordinary user may write only then (user_namespaces(7)).
  if (denySetgroups) writeProcFile(plan, directory, "setgroups", "deny");
  writeProcFile(plan, directory, "uid_map", mapLines(map.uid));
  writeProcFile(plan, directory, "gid_map", mapLines(map.gid));
  plan.syscall("close /proc of the child", "close", [{ slot: directory }]);
}

function writeProcFile(plan: PlanBuilder, directory: number, name: string, text: string): void {
  const file = plan.slot();
  const bytes = new TextEncoder().encode(text);
  plan.syscall(`open ${name}`, "openat", [{ slot: directory }, plan.string(name), O_WRONLY | O_CLOEXEC, 0], {
    save: file,
  });
  plan.syscall(`write ${name}`, "write", [{ slot: file }, plan.bytes(bytes), bytes.length]);
  plan.syscall(`close ${name}`, "close", [{ slot: file }]);
}

/** What uid_map and gid_map are given. */
export function mapLines(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}
