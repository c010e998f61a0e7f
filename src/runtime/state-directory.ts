/**
 * Where the containers of `devbox oci` are known: `--root`, with a directory for each.
 *
 *     ROOT/ID/state.json   its record (record.ts)
 *     ROOT/ID/start        FIFO: a byte lets the command run; gone from then on
 *     ROOT/ID/executed     FIFO: what fails between that byte and the command
 *
 * The directory itself is the lock (flock(2)): commands that change a container come one after the other. Those that only
 * look (`state`, `list`) and `kill` do not wait: hooks may call them.
 */
import { constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { LOCK_EX, O_CLOEXEC } from "../../ffi/constants.ts";
import { flock } from "../../ffi/libc.ts";
import { closeOnce } from "../core/close-once.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { checkContainerId } from "./container-id.ts";

/** A container's directory, absolute. It need not exist. */
export interface ContainerPaths {
  readonly id: string;
  /** Of all containers. */
  readonly root: string;
  readonly directory: string;
  readonly record: string;
  readonly start: string;
  readonly executed: string;
}

/** All ids of the initial user namespace (user_namespaces(7)): more than any other one has. */
const allIds = 2 ** 32 - 1;

/** Root of somebody's user namespace, as rootless podman calls its runtime, is not root of the machine. */
export function isRootOfMachine({ uid, ownUids }: HostFacts): boolean {
  return uid === 0 && ownUids.some(({ start, count }) => start === 0 && count === allIds);
}

/**
 * Where containers are kept unless `--root` says otherwise: those of a user are the user's, also when the user is root of a namespace.
 */
export function defaultStateRoot(env: Readonly<Record<string, string | undefined>>, facts: HostFacts): string {
  const runtime = env["XDG_RUNTIME_DIR"];
  if (!isRootOfMachine(facts) && runtime !== undefined && runtime.startsWith("/")) return `${runtime}/devbox-oci`;
  if (facts.uid === 0) return "/run/devbox-oci";
  throw new DevboxError("USAGE", {
    step: "find the directory of the containers",
    because: "XDG_RUNTIME_DIR is not set",
    hint: "log in anew, or name a directory: --root DIR",
  });
}

export function containerPaths(root: string, id: string): ContainerPaths {
  const directory = `${root}/${checkContainerId(id)}`;
  return {
    id,
    root,
    directory,
    record: `${directory}/state.json`,
    start: `${directory}/start`,
    executed: `${directory}/executed`,
  };
}

/**
 * What a record says is believed: which process to signal, which control group to remove, which hooks to execute. So nobody else may
 * have been able to write it, or to put it in its place.
 * @throws DevboxError STATE_UNUSABLE
 */
export function requireOwnDirectory({ root, directory }: ContainerPaths): void {
  const [around, own] = [statSync(root, { throwIfNoEntry: false }), lstatSync(directory, { throwIfNoEntry: false })];
  const refuse = (path: string, because: string): never => {
    const hint = "name a directory that is yours alone: --root DIR";
    throw new DevboxError("STATE_UNUSABLE", { step: `trust what lies in ${path}`, because, hint });
  };
  const self = process.geteuid?.();
  if (around !== undefined) {
    if (around.uid !== self && around.uid !== 0) refuse(root, `it belongs to user ${around.uid}`);
    // Where the sticky bit is set, others cannot take our directories away (inode(7)); what they put there belongs to them.
    if ((around.mode & (constants.S_IWOTH | sticky)) === constants.S_IWOTH) refuse(root, "everybody may write there");
  }
  if (own === undefined) return;
  if (own.uid !== self) refuse(directory, `it belongs to user ${own.uid}`);
  if ((own.mode & (constants.S_IWGRP | constants.S_IWOTH)) !== 0) refuse(directory, "others may write there");
}

const sticky = 0o1000;

/** Held until disposed of. */
export interface ContainerLock extends Disposable {
  readonly fd: number;
}

/** Makes the directory of a new container, and locks it. @throws DevboxError CONTAINER_EXISTS */
export function makeContainerDirectory(root: string, paths: ContainerPaths): ContainerLock {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DevboxError("STATE_UNUSABLE", { step: `make the directory ${root}`, cause });
  }
  requireOwnDirectory(paths);
  try {
    mkdirSync(paths.directory, { mode: 0o711 });
  } catch (cause) {
    if (errnoName(cause) === "EEXIST") {
      const because = "container with given ID already exists";
      throw new DevboxError("CONTAINER_EXISTS", { step: `create container ${paths.id}`, because, cause });
    }
    throw new DevboxError("STATE_UNUSABLE", { step: `make the directory ${paths.directory}`, cause });
  }
  const lock = lockContainer(paths);
  if (lock !== undefined) return lock;
  throw new DevboxError("STATE_UNUSABLE", { step: `make the directory ${paths.directory}`, because: "it was removed" });
}

/** Waits until nobody else changes the container; undefined: it is not there (any more). */
export function lockContainer(paths: ContainerPaths): ContainerLock | undefined {
  let fd: number;
  try {
    fd = openSync(paths.directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC);
  } catch (cause) {
    if (errnoName(cause) === "ENOENT") return undefined;
    throw new DevboxError("STATE_UNUSABLE", { step: `open ${paths.directory}`, cause });
  }
  const close = closeOnce(fd);
  try {
    requireOwnDirectory(paths);
  } catch (error) {
    close();
    throw error;
  }
  flock(fd, LOCK_EX);
  // Whoever held it before may have removed the container, and a new one may have its name.
  if (statSync(paths.directory, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) {
    return { fd, [Symbol.dispose]: close };
  }
  close();
  return undefined;
}

/** Takes the directory away; its name is free from then on. */
export function removeContainerDirectory(paths: ContainerPaths): void {
  try {
    rmSync(paths.directory, { recursive: true, force: true });
  } catch (cause) {
    throw new DevboxError("STATE_UNUSABLE", { step: `remove ${paths.directory}`, cause });
  }
}

/** In the order of their names. Whatever else lies there is none of ours. */
export function listContainerIds(root: string): readonly string[] {
  try {
    const entries = readdirSync(root, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    if (errnoName(cause) === "ENOENT") return [];
    throw new DevboxError("STATE_UNUSABLE", { step: `read ${root}`, cause });
  }
}
