/**
 * One apply worker: devbox itself, as root of a user namespace with the default map, started by the launcher, talking
 * layer/protocol.ts over a pair of pipes. It ends when its stdin ends, so it cannot outlive us.
 */
import { closeSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SIGKILL } from "../../../ffi/constants.ts";
import { pipe2 } from "../../../ffi/libc.ts";
import { DevboxError } from "../../core/errors.ts";
import type { HostFacts } from "../../host/facts.ts";
import { defaultIdMap } from "../../host/id-map.ts";
import { selfCommand } from "../../host/self.ts";
import { type Launched, launch } from "../../launch/launch.ts";
import { beginPlan, type LaunchPlan } from "../../launch/plan.ts";
import { cloneWithUserNamespace } from "../../launch/userns.ts";
import { readLines } from "../../layer/messages.ts";
import type { WorkerReply, WorkerRequest } from "../../layer/protocol.ts";

export interface WorkerProcess {
  /** Never blocks: the messages that may be under way fit into a pipe (64 KiB). */
  send(request: WorkerRequest): void;
  /** @throws DevboxError INTERNAL when the worker has died */
  reply(): Promise<WorkerReply>;
  isAlive(): boolean;
  /** Let it end, and wait until it has. */
  end(): Promise<void>;
}

export type StartWorker = () => Promise<WorkerProcess>;

/** Starts workers, with the map that layers on disk are made with. */
export function workerStarter(facts: HostFacts): StartWorker {
  return async () => {
    const worker = startProcess(planWorker(facts, [...selfCommand(), "__apply-worker"]));
    const greeting = await worker.reply();
    if (greeting.kind === "ready") return worker;
    throw new DevboxError("INTERNAL", { step: "start an apply worker", because: `it began with "${greeting.kind}"` });
  };
}

function planWorker(facts: HostFacts, command: readonly string[]): LaunchPlan {
  const [program = ""] = command;
  const plan = beginPlan("start an apply worker");
  const request = { label: "create the user namespace for layers", flags: 0, map: defaultIdMap(facts), host: facts };
  const child = cloneWithUserNamespace(plan, request, () => {
    plan.syscall(`execute ${program}`, "execve", [plan.string(program), plan.vector(command), plan.vector([])]);
  });
  plan.add({ kind: "supervise", slot: child, tied: true });
  return plan.finish();
}

function startProcess(plan: LaunchPlan): WorkerProcess {
  const [requestsRead, requestsWrite] = pipe2();
  const [repliesRead, repliesWrite] = pipe2();
  let launched: Launched;
  try {
    launched = launch(plan, { stdio: [requestsRead, repliesWrite, "ignore"] });
  } catch (error) {
    closeSync(requestsWrite);
    closeSync(repliesRead);
    throw error;
  } finally {
    closeSync(requestsRead);
    closeSync(repliesWrite);
  }
  const replies = readReplies(repliesRead);
  let alive = true;
  let open = true;
  const hangUp = (): void => {
    if (open) closeSync(requestsWrite);
    open = false;
  };
  return {
    send(request) {
      try {
        if (open) writeSync(requestsWrite, `${JSON.stringify(request)}\n`);
      } catch {
        // EPIPE: it has died, which `reply` says better.
      }
    },
    async reply() {
      const { value } = await replies.next();
      if (value !== undefined) return value;
      alive = false;
      hangUp();
      throw new DevboxError("INTERNAL", {
        step: "apply layers",
        because: `a worker ended with status ${await launched.wait()}`,
      });
    },
    isAlive: () => alive,
    async end() {
      hangUp();
      await endOf(launched);
    },
  };
}

/** A worker that is idle ends in a few milliseconds, one in the middle of a layer at its next message. */
const patienceMs = 2000;

async function endOf(launched: Launched): Promise<void> {
  const ended = launched.wait().then(
    () => true,
    () => true,
  );
  const timer = new AbortController();
  const patience = delay(patienceMs, false, { signal: timer.signal }).catch(() => false);
  if (!(await Promise.race([ended, patience]))) launched.kill(SIGKILL);
  timer.abort();
  await ended;
}

async function* readReplies(fd: number): AsyncGenerator<WorkerReply, undefined> {
  for await (const line of readLines(fd)) yield parseReply(line);
  closeSync(fd);
  return undefined;
}

const kinds: ReadonlySet<unknown> = new Set([
  "ready",
  "applied",
  "settled",
  "removed",
  "compared",
  "measured",
  "shared",
  "failed",
]);

/** Both sides are the same program, so a wrong line is a bug. */
function parseReply(line: string): WorkerReply {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && "kind" in value && kinds.has(value.kind)) {
    return value as WorkerReply;
  }
  throw new DevboxError("INTERNAL", { step: "read a reply of an apply worker", because: line.slice(0, 200) });
}
