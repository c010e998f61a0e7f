/**
 * Advisory locks between devbox processes: flock(2) on files in the store. The kernel drops them when their holder dies,
 * however it dies, so there is no such thing as a stale lock.
 *
 * Waiting is polling: a blocking flock(2) would stop this thread, and with it every download and signal handler.
 */
import { closeSync, fstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { LOCK_EX, LOCK_SH } from "../../ffi/constants.ts";
import { tryFlock } from "../../ffi/libc.ts";
import type { Context } from "../core/context.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { storeError } from "./atomic-write.ts";

export type LockMode = "shared" | "exclusive";

export interface Lock extends Disposable {
  readonly path: string;
  /** Inherited by a child, it keeps the lock held until the child ends too (flock(2): the lock is the open file's). */
  readonly fd: number;
  /** Remove the file and release: for locks whose subject is gone. Only with an exclusive lock. */
  remove(): void;
}

/** First and longest pause between two attempts. */
const firstPauseMs = 5;
const longestPauseMs = 200;

/**
 * Take the lock if nobody holds it against us.
 * @returns undefined when another process holds it
 * @throws DevboxError STORE_UNUSABLE when the file system has no locks or the file cannot be made
 */
export function tryLock(path: string, mode: LockMode): Lock | undefined {
  for (;;) {
    const fd = openLockFile(path);
    if (!attempt(fd, path, mode)) {
      closeSync(fd);
      return undefined;
    }
    // Between open and flock the last holder may have removed the file: then this lock excludes nobody.
    if (isStill(fd, path)) return heldLock(path, fd);
    closeSync(fd);
  }
}

/**
 * Take the lock, waiting for other holders.
 * @param onWait called once, when there is something to wait for
 * @throws DevboxError INTERRUPTED when the context is cancelled; STORE_UNUSABLE as `tryLock`
 */
export async function waitForLock(context: Context, path: string, mode: LockMode, onWait?: () => void): Promise<Lock> {
  const first = tryLock(path, mode);
  if (first !== undefined) return first;
  onWait?.();
  // Loading it would cost every warm run a third of a millisecond, for what it hardly ever does.
  const { setTimeout: delay } = await import("node:timers/promises");
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      await delay(pauseMs, undefined, { signal: context.signal });
    } catch (error) {
      throw new DevboxError("INTERRUPTED", { step: "wait for another devbox", because: "interrupted", cause: error });
    }
    const lock = tryLock(path, mode);
    if (lock !== undefined) return lock;
  }
}

/** A lock that was taken before this program was executed, and handed on with its descriptor. */
export function adoptLock(path: string, fd: number): Lock {
  return heldLock(path, fd);
}

function openLockFile(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw storeError(error, `open the lock ${path}`);
  }
}

function attempt(fd: number, path: string, mode: LockMode): boolean {
  try {
    return tryFlock(fd, mode === "shared" ? LOCK_SH : LOCK_EX);
  } catch (error) {
    closeSync(fd);
    // NFS without its lock service answers ENOLCK; file systems without locks EOPNOTSUPP, ENOSYS or EINVAL.
    throw new DevboxError("STORE_UNUSABLE", {
      step: `lock ${path}`,
      because: `the file system of the store has no working locks (${errnoName(error) ?? "unknown"}); is it on NFS?`,
      hint: "put the store on a local disk: export DEVBOX_STORE=DIR",
      cause: error,
    });
  }
}

function isStill(fd: number, path: string): boolean {
  try {
    const ours = fstatSync(fd);
    const named = statSync(path);
    return ours.ino === named.ino && ours.dev === named.dev;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return false;
    throw storeError(error, `check the lock ${path}`);
  }
}

function heldLock(path: string, fd: number): Lock {
  let held = true;
  const release = (): void => {
    if (held) closeSync(fd);
    held = false;
  };
  return {
    path,
    fd,
    remove() {
      if (held) unlinkSync(path);
      release();
    },
    [Symbol.dispose]: release,
  };
}
