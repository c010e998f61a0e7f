/**
 * `devbox run`: pull, bundle, create, start, wait, delete. The stages know nothing of each other; here they are joined.
 *
 *     reference ─ensure→ image ─make→ box ─begin→ namespaces ─complete→ container ─start→ command ─wait→ exit status
 *                                        └─prepare→ bundle ──┘
 */

import { SIGHUP, SIGKILL } from "../../ffi/constants.ts";
import type { Context } from "../core/context.ts";
import { describeCause } from "../core/errors.ts";
import { begin } from "../runtime/begin.ts";
import { type Container, complete } from "../runtime/create.ts";
import { sendSignal } from "../runtime/signal.ts";
import { readBoxRecord, writeBoxRecord } from "../store/box-record.ts";
import { finishBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { confirmImage } from "../store/unsynced.ts";
import type { BoxLimits } from "./cgroup.ts";
import { discardBox, removeWhole } from "./discard.ts";
import { beginInput, makeBox, type NewBox, openSurroundings, prepareBundle, type Surroundings } from "./prepare.ts";
import type { RunRequest } from "./request.ts";
import { delayed, forwardSignals, type SignalForwarder } from "./signals.ts";
import { findSource } from "./source.ts";
import { isHungUp, joinUntilEnd, withTerminalSize } from "./terminal.ts";

/**
 * Runs a command in a new box in the foreground, to its end.
 * @returns its exit status; 128 + n after signal n.
 * @throws DevboxError of every stage; the box is removed then.
 */
export async function run(context: Context, request: RunRequest): Promise<number> {
  const around = openSurroundings(context);
  const source = await findSource(context, around, request);
  using signals = forwardSignals();
  const box = await makeBox(context, around, source, request);
  let status: number;
  try {
    status = await runMade(context, around, box, request, signals);
  } catch (error) {
    await discardBox(around, box, error);
    throw error;
  }
  try {
    await finish(context, around, box, status);
    if (source.kind === "image") confirmImage(context, around.store, source.image);
  } catch (error) {
    // The command has run, and its status is what was asked for; the next devbox cleans up.
    context.log.warn(`the box could not be cleaned up: ${describeCause(error)}`);
  }
  return status;
}

async function finish(context: Context, around: Surroundings, { created }: NewBox, exitCode: number): Promise<void> {
  recordEvent(around.store, boxEvent("die", created.record, { exitCode: String(exitCode) }));
  if (created.record.ephemeral) return await removeWhole(around, created);
  // Whoever renamed it meanwhile has changed its record.
  const record = readBoxRecord(created.paths) ?? created.record;
  finishBox(created, { ...record, exitCode, finishedAt: context.now().toISOString() });
}

async function runMade(
  context: Context,
  around: Surroundings,
  box: NewBox,
  request: RunRequest,
  signals: SignalForwarder,
): Promise<number> {
  using _network = box.network;
  await using limits = await limit(context, around, box, request);
  const container = await createContainer(context, around, box, request, limits?.procs ?? []);
  using last = delayed(request.options.stopTimeoutSeconds, () => sendSignal(container.pid, SIGKILL));
  try {
    signals.to((signal) => {
      sendSignal(container.pid, signal);
      // A process 1 that ignores it would go on with nobody to see or to end it.
      if (signal === SIGHUP && isHungUp()) last.start();
    });
    recordRunning(context, around, box, container.pid);
    return await runToEnd(container, request);
  } catch (error) {
    await endBox(container);
    throw error;
  }
}

/** A box in the foreground has a control group when limits are asked for, and for no other reason: it is to start quickly. */
async function limit(
  context: Context,
  { facts }: Surroundings,
  { created }: NewBox,
  { options: { resources } }: RunRequest,
): Promise<BoxLimits | undefined> {
  if (Object.keys(resources).length === 0) return undefined;
  const { makeLimits } = await import("./cgroup.ts");
  return await makeLimits(context, created.paths.id, resources, facts);
}

/** Its pid is its own as long as its lock is held: no more needs to be known of it. */
function recordRunning(context: Context, { store }: Surroundings, { created, network }: NewBox, pid: number): void {
  const ports = network.ports();
  const running = { status: "running", pid, startedAt: context.now().toISOString() } as const;
  writeBoxRecord(created.paths, { ...created.record, ...running, ...(ports.length === 0 ? {} : { ports }) });
  recordEvent(store, boxEvent("create", created.record), boxEvent("start", created.record));
}

/** The namespaces come into being while the bundle is written. */
async function createContainer(
  context: Context,
  around: Surroundings,
  box: NewBox,
  request: RunRequest,
  cgroups: readonly number[],
): Promise<Container> {
  const { created, network } = box;
  await using beginning = begin({ ...beginInput(around, box, request), cgroups });
  const sandbox = await prepareBundle(around, box, request);
  const { process } = sandbox.config;
  const sized = request.options.tty ? withTerminalSize(process) : process;
  return await complete(beginning, {
    id: created.paths.id,
    bundle: created.paths.directory,
    sandbox: { ...sandbox, config: { ...sandbox.config, process: sized } },
    runHook: network.runHook,
    signal: context.signal,
  });
}

async function runToEnd({ terminal, launched, start }: Container, { options }: RunRequest): Promise<number> {
  const run = (): Promise<number> => {
    start();
    return launched.wait();
  };
  return terminal === undefined ? await run() : await joinUntilEnd(terminal, options.interactive, run);
}

/** A box that nobody can look after any more. */
async function endBox(container: Container): Promise<void> {
  sendSignal(container.pid, SIGKILL);
  // How it ended is of no interest: whoever ends it has an error to report.
  await container.launched.wait().catch(() => {});
}
