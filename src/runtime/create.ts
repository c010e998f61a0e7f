/**
 * OCI "create" (runtime-spec runtime.md "Lifecycle" steps 1 to 5): the sandbox is planned and launched, the createRuntime
 * hooks run beside the mounts that the init process makes, and the command waits for `start`.
 */
import { closeSync, fstatSync, writeSync } from "node:fs";
import { O_CLOEXEC, SIGINT, SIGKILL } from "../../ffi/constants.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { type Launched, launch, type Stdio } from "../launch/launch.ts";
import type { State } from "../oci/runtime.ts";
import type { SandboxInput } from "../sandbox/input.ts";
import { planCreate } from "../sandbox/plan-create.ts";
import { type ConsoleSocket, openConsoleSocket } from "./console-socket.ts";
import { explainFailure } from "./explain-failure.ts";
import { type HookRunner, runHooks } from "./hooks.ts";

export interface CreateInput {
  readonly id: string;
  /** Directory of the bundle, for the hooks' state. */
  readonly bundle: string;
  readonly sandbox: Omit<SandboxInput, "awaitGo" | "held" | "pipes">;
  /** Descriptors that the supervisor keeps open for as long as the box lives. */
  readonly held: Readonly<Record<string, number>>;
  readonly stdin: Stdio;
  readonly runHook: HookRunner;
  /** Gives up the creation; a box that was created goes on. */
  readonly signal: AbortSignal;
}

/** A created container: its processes exist, its command waits. */
export interface Container {
  /** Of the init process, as the host counts. */
  readonly pid: number;
  /** Master of its terminal, the caller's to close; undefined without one. */
  readonly terminal: number | undefined;
  readonly launched: Launched;
  /** OCI "start": let the command run. */
  start(): void;
}

/** @throws DevboxError LAUNCH_FAILED, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, HOOK_FAILED; nothing of it runs then. */
export async function create(input: CreateInput): Promise<Container> {
  const { hooks, annotations } = input.sandbox.config;
  const before = [...(hooks?.prestart ?? []), ...(hooks?.createRuntime ?? [])];
  const gate = before.length > 0 ? openGate() : undefined;
  using console = input.sandbox.config.process.terminal === true ? openConsoleSocket() : undefined;
  const launched = begin(input, gate, console);
  let pid: number | undefined;
  let terminal: number | undefined;
  try {
    pid = await startedPid(launched);
    const { id, bundle } = input;
    const status = "creating";
    const state: State = {
      ociVersion: "1.2.0",
      id,
      status,
      pid,
      bundle,
      ...(annotations === undefined ? {} : { annotations }),
    };
    const hooked = runHooks("createRuntime", before, state, input.runHook);
    // Awaited below; that it fails in the meantime is no unhandled rejection.
    hooked.catch(() => {});
    // The socket is read at once: the launcher sends early and the hooks are under way.
    terminal = console?.receive();
    await unlessAborted(hooked, input.signal);
    return { pid, terminal, launched, start: () => gate?.open() };
  } catch (error) {
    gate?.close();
    if (terminal !== undefined) closeSync(terminal);
    throw await giveUp(launched, pid, error);
  }
}

/** Rejects with the signal's reason as soon as it is given; what is awaited goes on, and its outcome is nobody's. */
function unlessAborted(awaited: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  awaited.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}

/** Plans and launches. Whatever happens, only the launcher holds its ends of the gate and the console afterwards. */
function begin(input: CreateInput, gate: Gate | undefined, console: ConsoleSocket | undefined): Launched {
  const stdio = [console === undefined ? input.stdin : "ignore", "inherit", "inherit"] as const;
  try {
    const held = Object.keys(input.held);
    const plan = planCreate({ ...input.sandbox, awaitGo: gate !== undefined, held, pipes: pipesToGive(input, stdio) });
    const fds = {
      ...input.held,
      ...(gate === undefined ? {} : { go: gate.read }),
      ...(console === undefined ? {} : { console: console.theirs }),
    };
    return launch(plan, { fds, stdio, translate: explainFailure });
  } catch (error) {
    gate?.close();
    throw error;
  } finally {
    gate?.closeRead();
    console?.closeTheirs();
  }
}

/** Standard streams that are pipes and would be closed to the user of the box. */
function pipesToGive({ sandbox }: CreateInput, stdio: readonly Stdio[]): number[] {
  const { terminal, user } = sandbox.config.process;
  if (terminal === true || user.uid === 0) return [];
  return stdio.flatMap((stream, number) => (isPipe(stream === "inherit" ? number : stream) ? [number] : []));
}

function isPipe(stream: number | "ignore"): boolean {
  try {
    return stream !== "ignore" && fstatSync(stream).isFIFO();
  } catch {
    return false; // a stream that is closed is nobody's
  }
}

async function startedPid(launched: Launched): Promise<number> {
  const event = await launched.nextEvent();
  if (event?.event === "started") return event.value;
  const status = await launched.wait();
  const step = "start the box";
  if (status === 128 + SIGINT) throw new DevboxError("INTERRUPTED", { step, because: "interrupted" });
  throw new DevboxError("LAUNCH_FAILED", { step, because: `the launcher ended early, with status ${status}` });
}

/**
 * Ends a box whose creation failed, and waits until it is gone. Returns the error to report: where the box has failed by
 * itself, a hook that did not find it any more is only what followed.
 */
async function giveUp(launched: Launched, pid: number | undefined, first: unknown): Promise<unknown> {
  // PID 1 takes all of the box along; its supervisor sees that and ends, which tells us.
  if (pid === undefined) launched.kill(SIGKILL);
  else killProcess(pid);
  try {
    await launched.wait();
  } catch (error) {
    if (!(error instanceof DevboxError) || error === first) return first;
    error.alsoFailed.push(first);
    return error;
  }
  return first;
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ESRCH: it has ended by itself.
  }
}

interface Gate {
  readonly read: number;
  open(): void;
  close(): void;
  closeRead(): void;
}

/** A pipe: one byte lets the command run, its end without one gives it up. */
function openGate(): Gate {
  const [read, write] = pipe2(O_CLOEXEC);
  let [readOpen, writeOpen] = [true, true];
  const close = (): void => {
    if (writeOpen) closeSync(write);
    writeOpen = false;
  };
  return {
    read,
    open() {
      try {
        writeSync(write, Uint8Array.of(1));
      } catch (error) {
        // The box has ended meanwhile; `wait` tells how.
        if (errnoName(error) !== "EPIPE") throw error;
      } finally {
        close();
      }
    },
    close,
    closeRead() {
      if (readOpen) closeSync(read);
      readOpen = false;
    },
  };
}
