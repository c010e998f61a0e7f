/**
 * `devbox __ended ID`: what the monitor of a box becomes when the box is over. It writes down how it ended, and removes it or
 * starts it again; `devbox __restart ID` is what it leaves behind to do so after a while. The monitor's lock came along.
 */
import { openSync } from "node:fs";
import { EPERM } from "../../ffi/errno.ts";
import { readUsage } from "../cgroup/usage.ts";
import type { Context } from "../core/context.ts";
import { describeCause } from "../core/errors.ts";
import { identify } from "../host/process-identity.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { selfCommand } from "../host/self.ts";
import { launch } from "../launch/launch.ts";
import { firstKeptFd } from "../launch/monitor.ts";
import { beginPlan, type LaunchPlan } from "../launch/plan.ts";
import { endCgroup } from "../runtime/container-cgroup.ts";
import { lockBoxRecord, readBoxRecord, writeBoxRecord } from "../store/box-record.ts";
import { endedRecord, isAlive, lostExitCode, readBoxEnd } from "../store/box-state.ts";
import { finishBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { adoptLock, type Lock } from "../store/locks.ts";
import { openStore } from "../store/open.ts";
import { boxPaths } from "../store/paths.ts";
import type { BoxPaths, BoxRecord } from "../store/types.ts";
import { environment } from "./detached.ts";
import { removeWhole } from "./discard.ts";
import type { Surroundings } from "./prepare.ts";
import { restartDelay } from "./restart-policy.ts";
import { type BoxSettings, readSettings } from "./settings.ts";
import { startAgain } from "./start-again.ts";

/** @param id of the box whose monitor this process was */
export async function endBox(context: Context, id: string): Promise<void> {
  const { around, paths, lock } = adopt(context, id);
  using _record = await lockBoxRecord(context, paths);
  const record = readBoxRecord(paths);
  // Whoever tried to start it has seen it fail, and has said so.
  if (record?.monitorPid !== process.pid || !isAlive(record)) return;
  const settings = readSettings(paths);
  const ended = { ...endedRecord(record, readBoxEnd(paths)), ...(await leaveCgroup(settings)) };
  const { exitCode = lostExitCode } = ended;
  if (ended.oomKilled) recordEvent(around.store, boxEvent("oom", ended));
  recordEvent(around.store, boxEvent("die", ended, { exitCode: String(exitCode) }));
  const delay =
    settings === undefined ? undefined : restartDelay(settings.options.restart, { record: ended, exitCode });
  if (delay !== undefined) waitToRestart(around, { paths, record: ended, lock }, delay);
  else if (record.ephemeral) await removeWhole(around, { paths, record, lock });
  else finishBox({ paths, lock }, ended);
}

/** What was counted there is lost with it. */
async function leaveCgroup(settings: BoxSettings | undefined): Promise<Pick<BoxRecord, "oomKilled">> {
  const cgroup = settings?.cgroup;
  if (cgroup === undefined) return {};
  try {
    const { memory } = readUsage(cgroup);
    await endCgroup(cgroup);
    return memory.oomKills > 0 ? { oomKilled: true } : {};
  } catch {
    return {}; // somebody else has removed it
  }
}

/** Starts it again, unless the user has ended it meanwhile. */
export async function restartBox(context: Context, id: string): Promise<void> {
  const { around, paths, lock } = adopt(context, id);
  using _record = await lockBoxRecord(context, paths);
  const record = readBoxRecord(paths);
  if (record?.monitorPid !== process.pid || record.status !== "restarting") return;
  try {
    await startAgain(context, around, { paths, record, lock, input: "open" });
  } catch (error) {
    finishBox({ paths, lock }, { ...record, error: describeCause(error) });
  }
}

interface Adopted {
  readonly around: Surroundings;
  readonly paths: BoxPaths;
  readonly lock: Lock;
}

function adopt(context: Context, id: string): Adopted {
  // Nobody has opened its streams: what a program of ours opens must not become one of them.
  for (let fd = openSync("/dev/null", "r+"); fd < 2; fd = openSync("/dev/null", "r+"));
  const store = openStore(context.env);
  const paths = boxPaths(store, id);
  return { around: { store, facts: readHostFacts(context.env) }, paths, lock: adoptLock(paths.lock, firstKeptFd) };
}

interface EndedBox {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  readonly lock: Lock;
}

/** The launcher waits, a few kilobytes large, and becomes devbox again. */
function waitToRestart(around: Surroundings, { paths, record, lock }: EndedBox, delayMs: number): void {
  const waiting = launch(waitingPlan(paths.id, delayMs, environment(around)), {
    fds: { lock: lock.fd },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const identity = identify(waiting.pid);
  writeBoxRecord(paths, {
    ...record,
    status: "restarting",
    restartCount: (record.restartCount ?? 0) + 1,
    restartDelayMs: delayMs,
    monitorPid: waiting.pid,
    ...(identity === undefined ? {} : { monitorStartTime: identity.startTime, bootId: identity.bootId }),
  });
  waiting.release();
}

/** clock_nanosleep(2). */
const CLOCK_BOOTTIME = 7;

function waitingPlan(id: string, delayMs: number, env: readonly string[]): LaunchPlan {
  const plan = beginPlan("start a box again after a while");
  const [path = "", ...words] = selfCommand();
  const time = new Uint8Array(16);
  const view = new DataView(time.buffer);
  view.setBigInt64(0, BigInt(Math.floor(delayMs / 1000)), true);
  view.setBigInt64(8, BigInt(delayMs % 1000) * 1_000_000n, true);
  plan.syscall("leave the session", "setsid", [], { tolerate: [EPERM] });
  plan.syscall("wait", "clock_nanosleep", [CLOCK_BOOTTIME, 0, plan.bytes(time), 0]);
  plan.syscall("hand the lock on", "dup3", [plan.fd("lock"), firstKeptFd, 0]);
  const argv = plan.vector([path, ...words, "__restart", id]);
  plan.syscall(`execute ${path}`, "execve", [plan.string(path), argv, plan.vector(env)]);
  return plan.finish();
}
