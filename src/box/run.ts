/**
 * `devbox run`: pull, bundle, create, start, wait, delete. The stages know nothing of each other; here they are joined.
 *
 *     reference ─ensure→ image ─prepare→ box, bundle ─create→ container ─start→ command ─wait→ exit status
 */

import type { Context } from "../core/context.ts";
import { readHostFacts } from "../host/read-facts.ts";
import { explain } from "../launch/explain.ts";
import type { Stdio } from "../launch/launch.ts";
import { type Container, create } from "../runtime/create.ts";
import { planCreate } from "../sandbox/plan-create.ts";
import { writeBoxRecord } from "../store/box-record.ts";
import { finishBox, removeBox, sweepBoxes } from "../store/boxes.ts";
import { openStore } from "../store/open.ts";
import { type PreparedBox, prepareBox, type Surroundings } from "./prepare.ts";
import type { RunRequest } from "./request.ts";
import { forwardSignals } from "./signals.ts";
import { findSource } from "./source.ts";
import { joinTerminal, terminalSize } from "./terminal.ts";

/**
 * Runs a command in a new box in the foreground, to its end.
 * @returns its exit status; 128 + n after signal n.
 * @throws DevboxError of every stage; the box is removed then.
 */
export async function run(context: Context, request: RunRequest): Promise<number> {
  const around = open(context);
  const source = await findSource(context, around, request);
  using signals = forwardSignals();
  const box = await prepareBox(context, around, source, request);
  let status = failedStatus;
  try {
    const container = await createContainer(box, request);
    signals.to((signal) => signalBox(container, signal));
    writeBoxRecord(box.created.paths, { ...box.created.record, status: "running", pid: container.pid });
    status = await runToEnd(container);
    return status;
  } finally {
    box.network[Symbol.dispose]();
    await removeOrFinish(around, box, status);
  }
}

/** `--explain`: the plan that `run` would execute, as text. The image is made ready, the box is not started. */
export async function explainRun(context: Context, request: RunRequest): Promise<string> {
  const around = open(context);
  const source = await findSource(context, around, request);
  const { created, sandbox, network } = await prepareBox(context, around, source, request);
  try {
    const held = Object.keys(network.held);
    const { hooks } = sandbox.config;
    return explain(
      planCreate({ ...sandbox, awaitGo: hooks?.createRuntime !== undefined, held: ["lock", ...held], pipes: [] }),
    ).join("\n");
  } finally {
    network[Symbol.dispose]();
    removeBox(around.store, created.paths, created.record.name, created.lock);
  }
}

/** docker's exit status for "the engine failed", if nobody learned another. */
const failedStatus = 125;

function open(context: Context): Surroundings {
  const store = openStore(context.env);
  for (const id of sweepBoxes(store)) context.log.debug("cleaned up after a box whose devbox was killed", { id });
  return { store, facts: readHostFacts(context.env) };
}

function createContainer(box: PreparedBox, { options }: RunRequest): Promise<Container> {
  const { created, sandbox, network } = box;
  const size = options.tty ? terminalSize() : undefined;
  const process = size === undefined ? {} : { consoleSize: { height: size.rows, width: size.columns } };
  const stdin: Stdio = options.interactive ? "inherit" : "ignore";
  return create({
    id: created.paths.id,
    bundle: created.paths.directory,
    sandbox: { ...sandbox, config: { ...sandbox.config, process: { ...sandbox.config.process, ...process } } },
    held: { lock: created.lock.fd, ...network.held },
    stdin,
    runHook: network.runHook,
  });
}

async function runToEnd({ terminal, launched, start }: Container): Promise<number> {
  if (terminal === undefined) {
    start();
    return await launched.wait();
  }
  using joined = joinTerminal(terminal);
  start();
  const status = await launched.wait();
  await joined.drained;
  return status;
}

/** A process in the parent namespace may signal PID 1 of the box (pid_namespaces(7)); if it is gone, so is the need. */
function signalBox({ pid }: Container, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it ended a moment ago; `wait` tells how.
  }
}

async function removeOrFinish({ store, facts }: Surroundings, box: PreparedBox, status: number): Promise<void> {
  const { paths, record, lock } = box.created;
  if (!record.ephemeral) finishBox({ paths, lock }, { ...record, exitCode: status });
  else if (!removeBox(store, paths, record.name, lock)) {
    // What the box made under other ids can be removed only from inside the user namespace.
    const { emptyTrash } = await import("../image/trash.ts");
    await emptyTrash(store, facts);
  }
}
