/**
 * Copy workers (layer/copy-worker.ts): devbox itself, on this machine as the caller, or where a launch plan leads. Two of
 * them, one at either end of a pipe, are a copy; none of what they copy passes through this process.
 */
import { closeSync } from "node:fs";
import { SIGKILL } from "../../../ffi/constants.ts";
import { pipe2 } from "../../../ffi/libc.ts";
import { DevboxError } from "../../core/errors.ts";
import { selfCommand } from "../../host/self.ts";
import { launch, type Stdio } from "../../launch/launch.ts";
import type { LaunchPlan, PlanBuilder } from "../../launch/plan.ts";
import type { CopyReply, CopyRequest, PackRequest, UnpackRequest } from "../../layer/copy/request.ts";
import { readLines } from "../../layer/messages.ts";

export type { ChangesRequest, PackRequest, UnpackRequest } from "../../layer/copy/request.ts";

/** What a worker is to do; descriptors are filled in. */
export type CopyTask = Omit<CopyRequest, "reply">;

/** A plan that ends, in a process of its own, with `execute`. */
export type PlanCopier = (execute: (plan: PlanBuilder, root: ExecutedRoot) => void) => PlannedCopier;

export interface PlannedCopier {
  readonly plan: LaunchPlan;
  /** Descriptors that the plan names, but for "reply". */
  readonly fds: Readonly<Record<string, number>>;
}

/** The descriptor of the root that paths of the task are resolved in; undefined: this machine's. */
export type ExecutedRoot = { readonly slot: number } | undefined;

export interface CopyWorker {
  readonly reply: Promise<CopyReply>;
  kill(): void;
}

/** Descriptors of the worker: above all that a launcher is handed. */
const [replyFd, rootFd] = [100, 101];

/** Starts a worker where the plan leads. */
export function startPlannedCopier(planCopier: PlanCopier, task: CopyTask, stdio: readonly [Stdio, Stdio]): CopyWorker {
  const { plan, fds } = planCopier((steps, root) => execute(steps, root, task));
  const [read, write] = pipe2();
  try {
    const launched = launch(plan, { fds: { ...fds, reply: write }, stdio: [...stdio, "inherit"] });
    return { reply: replyOf(read, () => launched.wait()), kill: () => launched.kill(SIGKILL) };
  } catch (error) {
    closeSync(read);
    throw error;
  } finally {
    closeSync(write);
  }
}

/** Steps that become the worker. */
function execute(plan: PlanBuilder, root: ExecutedRoot, task: CopyTask): void {
  const withRoot = <P extends PackRequest | UnpackRequest>(place: P | undefined): P | undefined =>
    place === undefined || root === undefined ? place : { ...place, root: rootFd };
  const [from, to] = [withRoot(task.from), task.from === undefined ? withRoot(task.to) : task.to];
  const request: CopyRequest = {
    reply: replyFd,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(task.changes === undefined ? {} : { changes: task.changes }),
  };
  plan.syscall("hand the reply pipe on", "dup3", [plan.fd("reply"), replyFd, 0]);
  if (root !== undefined) plan.syscall("hand the root on", "dup3", [root, rootFd, 0]);
  const command = [...selfCommand(), "__copy-worker", JSON.stringify(request)];
  const [program = ""] = command;
  plan.syscall(`execute ${program}`, "execve", [plan.string(program), plan.vector(command), plan.vector([])]);
}

/** Starts a worker on this machine, with the rights of the caller. */
export function startHostCopier(task: CopyTask, [stdin, stdout]: readonly [Stdio, Stdio]): CopyWorker {
  const [read, write] = pipe2();
  try {
    const child = Bun.spawn({
      cmd: [...selfCommand(), "__copy-worker", JSON.stringify({ ...task, reply: 3 } satisfies CopyRequest)],
      env: {},
      stdio: [stdin, stdout, "inherit", write],
    });
    return { reply: replyOf(read, () => child.exited), kill: () => child.kill(SIGKILL) };
  } catch (cause) {
    closeSync(read);
    throw new DevboxError("LAUNCH_FAILED", { step: "start a copy worker", cause });
  } finally {
    closeSync(write);
  }
}

async function replyOf(read: number, exited: () => Promise<number>): Promise<CopyReply> {
  let line: string | undefined;
  try {
    for await (const each of readLines(read)) line ??= each;
  } finally {
    closeSync(read);
  }
  // Throws what of the plan has failed.
  const status = await exited();
  // Both sides are the same program.
  if (line !== undefined) return JSON.parse(line) as CopyReply;
  throw new DevboxError("INTERNAL", { step: "copy files", because: `a worker ended with status ${status}` });
}

/** Waits for one worker. @returns its notes. @throws DevboxError of what failed */
export async function finishCopy(worker: CopyWorker, signal: AbortSignal): Promise<readonly string[]> {
  return await untilAborted([worker], signal, async () => notesOf(await worker.reply));
}

/**
 * Waits for two workers with a pipe between them.
 * @returns their notes
 * @throws DevboxError of the one that failed first in the way of the data
 */
export async function finishPair(
  packer: CopyWorker,
  unpacker: CopyWorker,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return await untilAborted([packer, unpacker], signal, async () => {
    const [sent, received] = await Promise.all([packer.reply, unpacker.reply]);
    // An archive that its reader gave up is the reader's failure; one that ends early, its writer's.
    if (sent.kind === "failed" && sent.isBrokenPipe) return [...notesOf(received), ...notesOf(sent)];
    return [...notesOf(sent), ...notesOf(received)];
  });
}

async function untilAborted<T>(
  workers: readonly CopyWorker[],
  signal: AbortSignal,
  action: () => Promise<T>,
): Promise<T> {
  const abort = (): void => {
    for (const worker of workers) worker.kill();
  };
  signal.addEventListener("abort", abort);
  try {
    return await action();
  } catch (error) {
    abort();
    for (const { reply } of workers) reply.catch(() => {});
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function notesOf(reply: CopyReply): readonly string[] {
  if (reply.kind === "done") return reply.notes;
  const { code, step, because, hint } = reply;
  throw new DevboxError(code, {
    step,
    ...(because === undefined ? {} : { because }),
    ...(hint === undefined ? {} : { hint }),
  });
}
