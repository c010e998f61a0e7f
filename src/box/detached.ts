/**
 * Starting a box that outlives devbox: `run --detach`, `start`, `restart`, and a restart policy. Its monitor is the launcher
 * (ffi/launcher/wire.ts MonitorOp); when the box has ended, it becomes `devbox __ended` (ended.ts).
 */
import { closeSync } from "node:fs";
import { SIGKILL, SOCK_STREAM } from "../../ffi/constants.ts";
import { socketpair } from "../../ffi/socket.ts";
import type { Context } from "../core/context.ts";
import { identify } from "../host/process-identity.ts";
import { selfCommand } from "../host/self.ts";
import type { Launched } from "../launch/launch.ts";
import type { MonitorRequest } from "../launch/monitor.ts";
import type { IdMap, Namespace } from "../oci/runtime.ts";
import { begin } from "../runtime/begin.ts";
import { endCgroup } from "../runtime/container-cgroup.ts";
import { type Container, complete } from "../runtime/create.ts";
import { sendSignal } from "../runtime/signal.ts";
import { writeBoxRecord } from "../store/box-record.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import type { Lock } from "../store/locks.ts";
import type { BoxPaths, BoxRecord } from "../store/types.ts";
import { makeBoxCgroup, openOrEnd } from "./cgroup.ts";
import { unknownHealth } from "./health-check.ts";
import { writeHealth } from "./health-file.ts";
import type { BoxNetwork } from "./network.ts";
import type { SandboxOfBox, Surroundings } from "./prepare.ts";
import { type BoxSettings, type HealthCheck, writeSettings } from "./settings.ts";
import { type DetachedStreams, type Input, openStreams } from "./streams.ts";
import { withTerminalSize } from "./terminal.ts";

/** A box that is to be started. Whoever starts it holds the lock of its record. */
export interface DetachedBox {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  /** Of the box: its monitor goes on holding it. */
  readonly lock: Lock;
  readonly options: BoxSettings["options"];
  readonly health: HealthCheck | undefined;
  readonly network: BoxNetwork;
  readonly namespaces: readonly Namespace[];
  readonly idMap: IdMap;
  readonly input: Input;
  /** What else is made ready while its namespaces come into being. */
  prepare(): Promise<{ readonly sandbox: SandboxOfBox; readonly settings: BoxSettings }>;
}

export interface StartedBox {
  readonly record: BoxRecord;
  /** The end of its input, where that is "once": the caller's. */
  readonly writer: number | undefined;
}

/**
 * Starts it, and leaves it alone: its command is executed when this returns.
 * @throws DevboxError of every stage; nothing of it runs then, its files are as they were
 */
export async function startDetached(context: Context, around: Surroundings, box: DetachedBox): Promise<StartedBox> {
  const { paths, options } = box;
  using streams = openStreams(paths, options, box.input);
  const cgroup = await makeBoxCgroup(context, paths.id, options.resources, around.facts);
  const procs = cgroup === undefined ? [] : await openOrEnd(cgroup);
  const pair = options.tty ? socketpair(SOCK_STREAM) : [];
  const [master, console] = pair;
  let container: Container | undefined;
  try {
    const monitor = monitorRequest(around, box, streams, master !== undefined);
    await using beginning = begin({
      namespaces: box.namespaces,
      idMap: box.idMap,
      facts: around.facts,
      held: {
        lock: box.lock.fd,
        ...box.network.held,
        ...streams.descriptors,
        ...(master === undefined ? {} : { "console-master": master }),
      },
      stdin: streams.stdio[0],
      output: [streams.stdio[1], streams.stdio[2]],
      terminal: options.tty,
      ...(console === undefined ? {} : { console }),
      // Also without hooks: it is in its record before its command runs, whenever this devbox is killed.
      hooks: true,
      supervision: { kind: "monitored", monitor },
      watchExec: true,
      cgroups: procs,
    });
    const begun = { ...beginning, launched: endedAtOnce(beginning.launched) };
    const { sandbox, settings } = await orEnd(begun.launched, box.prepare());
    container = await complete(begun, {
      id: paths.id,
      bundle: paths.directory,
      sandbox: options.tty ? withSize(sandbox) : sandbox,
      runHook: box.network.runHook,
      signal: context.signal,
    });
    if (box.health !== undefined) writeHealth(paths, unknownHealth);
    writeSettings(paths, cgroup === undefined ? settings : { ...settings, cgroup });
    // Before it runs: should this devbox be killed now, the next one knows what to look after.
    const record = runningRecord(box, container, context.now());
    writeBoxRecord(paths, record);
    container.start();
    await container.launched.executed();
    recordEvent(around.store, boxEvent("start", record));
    container.launched.release();
    return { record, writer: streams.writer };
  } catch (error) {
    if (container !== undefined) {
      sendSignal(container.pid, SIGKILL);
      // It may wait for a terminal that nobody will send any more; what it would write down is told by us.
      container.launched.kill(SIGKILL);
      container.launched.release();
    }
    if (cgroup !== undefined) await endCgroup(cgroup).catch(() => {});
    if (streams.writer !== undefined) closeSync(streams.writer);
    throw error;
  } finally {
    for (const fd of [...procs, ...pair]) closeSync(fd);
  }
}

/**
 * Whoever gives the box up waits for its launcher, which would become `devbox __ended`, and wait for whoever starts the box: so it
 * is not left to end by itself. What failed has been reported before.
 */
function endedAtOnce(launched: Launched): Launched {
  return {
    ...launched,
    wait() {
      launched.kill(SIGKILL);
      return launched.wait();
    },
  };
}

/** The same where nobody has come to wait for it yet. */
async function orEnd<T>(launched: Launched, made: Promise<T>): Promise<T> {
  try {
    return await made;
  } catch (error) {
    launched.kill(SIGKILL);
    throw error;
  }
}

/** What it said the last time is forgotten, but for how often its restart policy has started it. */
function runningRecord({ record, network }: DetachedBox, { pid, launched }: Container, now: Date): BoxRecord {
  const { exitCode: _code, error: _error, oomKilled: _oom, stopped: _stopped, ...rest } = record;
  const [init, monitor] = [identify(pid), identify(launched.pid)];
  const ports = network.ports();
  return {
    ...rest,
    status: "running",
    startedAt: now.toISOString(),
    pid,
    ...(init === undefined ? {} : { startTime: init.startTime, bootId: init.bootId }),
    monitorPid: launched.pid,
    ...(monitor === undefined ? {} : { monitorStartTime: monitor.startTime, bootId: monitor.bootId }),
    ...(ports.length === 0 ? {} : { ports }),
  };
}

/** The size of the terminal that devbox was called from; whoever attaches brings another. */
function withSize(sandbox: SandboxOfBox): SandboxOfBox {
  const { config } = sandbox;
  return { ...sandbox, config: { ...config, process: withTerminalSize(config.process) } };
}

function monitorRequest(
  around: Surroundings,
  { paths, options, health }: DetachedBox,
  streams: DetachedStreams,
  terminal: boolean,
): MonitorRequest {
  const descriptors = [...Object.keys(streams.descriptors), ...(terminal ? ["console-master"] : [])];
  const [path = "", ...words] = selfCommand();
  const env = environment(around);
  const beat = (check: HealthCheck) => ({
    path,
    args: [path, ...words, "__health", paths.id],
    env,
    intervalMs: check.intervalMs,
    startIntervalMs: check.startIntervalMs,
    startPeriodMs: check.startPeriodMs,
  });
  return {
    descriptors,
    terminal,
    // biome-ignore lint/suspicious/noThenProperty: a request that is never awaited.
    then: { path, args: [path, ...words, "__ended", paths.id], env },
    keep: ["lock"],
    maxLogBytes: options.log.maxBytes,
    maxLogFiles: options.log.maxFiles,
    ...(health === undefined ? {} : { beat: beat(health) }),
  };
}

/** What devbox needs of the user's environment when nobody is there who has one. */
export function environment({ store, facts }: Surroundings): readonly string[] {
  const kept = ["PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "LANG"];
  const given = kept.flatMap((name) => (process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`]));
  const home = process.env["HOME"] === undefined ? [`HOME=${facts.home}`] : [];
  return [...given, ...home, `DEVBOX_STORE=${store.root}`];
}
