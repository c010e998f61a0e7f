/**
 * The files of a box keep still while they are read. A box that runs is frozen; when devbox is killed meanwhile, a launcher that
 * waits for that (a few kilobytes) becomes `devbox __thaw ID`: nobody's box stays frozen.
 */
import { closeSync, existsSync, writeSync } from "node:fs";
import { EPERM } from "../../ffi/errno.ts";
import { pipe2 } from "../../ffi/libc.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { selfCommand } from "../host/self.ts";
import { launch } from "../launch/launch.ts";
import { firstKeptFd } from "../launch/monitor.ts";
import { beginPlan, type LaunchPlan } from "../launch/plan.ts";
import { readBoxRecord } from "../store/box-record.ts";
import { boxState, isAlive } from "../store/box-state.ts";
import { findBox, lockEndedBox } from "../store/boxes.ts";
import { type Lock, waitForLock } from "../store/locks.ts";
import { openStore } from "../store/open.ts";
import { boxPaths } from "../store/paths.ts";
import { environment } from "./detached.ts";
import { pauseBox, resumeBox } from "./pause.ts";
import type { Surroundings } from "./prepare.ts";
import type { FoundBox } from "./settled.ts";

export interface Stillness extends AsyncDisposable {
  /** Its files have been read. */
  release(): Promise<void>;
}

/**
 * One that rests is not started meanwhile. One that runs is frozen, unless it is already or must not be (`freeze`); one reads
 * after the other then.
 * @throws DevboxError BOX_NOT_FOUND, INTERRUPTED
 */
export async function keepStill(
  context: Context,
  around: Surroundings,
  { paths, record }: FoundBox,
  { freeze }: { readonly freeze: boolean },
): Promise<Stillness> {
  const { store } = around;
  if (!isAlive(boxState(store, record))) {
    const lock = lockEndedBox(paths);
    return stillness(async () => lock?.remove());
  }
  if (!freeze) return stillness(async () => {});
  const lock = await lockStill(context, { paths, record });
  try {
    const now = findBox(store, record.id);
    if (boxState(store, now.record).status !== "running") return stillness(async () => lock[Symbol.dispose]());
    const guard = startGuard(around, paths.id, lock);
    await pauseBox(context, record.id).catch((error: unknown) => {
      // Frozen by somebody else: it stays so. What was frozen in part is put right by the guard.
      if (error instanceof DevboxError && error.code === "BOX_STATE") guard.dismiss();
      else guard.wake();
      throw error;
    });
    return stillness(async () => {
      await thawBox(context, record.id);
      guard.dismiss();
      lock[Symbol.dispose]();
    });
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** `devbox __thaw`. It may have ended, or been resumed by somebody else. */
export async function thawBox(context: Context, id: string): Promise<void> {
  const store = openStore(context.env);
  const paths = boxPaths(store, id);
  const record = readBoxRecord(paths);
  if (record?.status === "paused" || record?.status === "running") await resumeBox(context, { store, paths, record });
}

async function lockStill({ log, ...context }: Context, { paths, record }: FoundBox): Promise<Lock> {
  try {
    const path = `${paths.directory}/still.lock`;
    return await waitForLock({ log, ...context }, path, "exclusive", () => log.info("waiting for another devbox"));
  } catch (error) {
    if (existsSync(paths.directory)) throw error;
    throw new DevboxError("BOX_NOT_FOUND", { step: `freeze the box ${record.name}`, because: "it was removed" });
  }
}

interface Guard {
  /** Nothing is frozen any more. */
  dismiss(): void;
  /** It is for the guard to resume the box, as if this process were gone. */
  wake(): void;
}

/** It holds the lock as well, so that nobody reads before all is put right. */
function startGuard(around: Surroundings, id: string, lock: Lock): Guard {
  const [gone, alive] = pipe2();
  try {
    const fds = { gone, lock: lock.fd };
    launch(guardPlan(id, environment(around)), { fds, stdio: ["ignore", "ignore", "ignore"] }).release();
  } catch (error) {
    closeSync(alive);
    throw error;
  } finally {
    closeSync(gone);
  }
  return {
    dismiss() {
      writeSync(alive, "x");
      closeSync(alive);
    },
    wake: () => closeSync(alive),
  };
}

/** read(2) of a pipe: 0 when all its writers are gone. */
function guardPlan(id: string, env: readonly string[]): LaunchPlan {
  const plan = beginPlan("resume a box when devbox is killed");
  const [path = "", ...words] = selfCommand();
  plan.syscall("leave the session", "setsid", [], { tolerate: [EPERM] });
  plan.syscall("wait for devbox", "read", [plan.fd("gone"), plan.buffer(1), 1], { onZero: "killed" });
  plan.add({ kind: "exit", code: 0 });
  plan.add({ kind: "mark", name: "killed" });
  plan.syscall("hand the lock on", "dup3", [plan.fd("lock"), firstKeptFd, 0]);
  const argv = plan.vector([path, ...words, "__thaw", id]);
  plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, plan.vector(env)]);
  return plan.finish();
}

function stillness(action: () => Promise<void>): Stillness {
  let isStill = true;
  const release = async (): Promise<void> => {
    if (isStill) await action();
    isStill = false;
  };
  return { release, [Symbol.asyncDispose]: release };
}
