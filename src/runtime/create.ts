/**
 * OCI "create" (runtime-spec runtime.md "Lifecycle" steps 1 to 5): the sandbox is planned and launched, the createRuntime
 * hooks run beside the mounts that the init process makes, and the command waits for `start`.
 */
import { closeSync, writeSync } from "node:fs";
import { O_CLOEXEC } from "../../ffi/constants.ts";
import { describeErrno, ENOENT } from "../../ffi/errno.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import type { LaunchFailure } from "../launch/failure.ts";
import { type Launched, launch, type Stdio } from "../launch/launch.ts";
import type { State } from "../oci/runtime.ts";
import type { SandboxInput } from "../sandbox/input.ts";
import { planCreate } from "../sandbox/plan-create.ts";
import { openConsoleSocket } from "./console-socket.ts";
import { type HookRunner, runHooks } from "./hooks.ts";

export interface CreateInput {
  readonly id: string;
  /** Directory of the bundle, for the hooks' state. */
  readonly bundle: string;
  readonly sandbox: Omit<SandboxInput, "awaitGo" | "held">;
  /** Descriptors that the supervisor keeps open for as long as the box lives. */
  readonly held: Readonly<Record<string, number>>;
  readonly stdin: Stdio;
  readonly runHook: HookRunner;
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
  const hooks = [...(input.sandbox.config.hooks?.prestart ?? []), ...(input.sandbox.config.hooks?.createRuntime ?? [])];
  const gate = hooks.length > 0 ? openGate() : undefined;
  using console = input.sandbox.config.process.terminal === true ? openConsoleSocket() : undefined;
  const plan = planCreate({ ...input.sandbox, awaitGo: gate !== undefined, held: Object.keys(input.held) });
  const fds = {
    ...input.held,
    ...(gate === undefined ? {} : { go: gate.read }),
    ...(console === undefined ? {} : { console: console.theirs }),
  };
  const stdin = console === undefined ? input.stdin : "ignore";
  const launched = launchOrClose(() => launch(plan, { fds, stdio: [stdin, "inherit", "inherit"], translate }), gate);
  gate?.closeRead();
  console?.closeTheirs();
  try {
    const pid = await startedPid(launched);
    const state: State = { ociVersion: "1.2.0", id: input.id, status: "creating", pid, bundle: input.bundle };
    const hooked = runHooks("createRuntime", hooks, state, input.runHook);
    // The socket is read at once: the launcher sends early and the hooks are under way.
    const terminal = console?.receive();
    await hooked;
    return { pid, terminal, launched, start: () => gate?.open() };
  } catch (error) {
    gate?.close();
    await giveUp(launched, error);
    throw error;
  }
}

function launchOrClose(start: () => Launched, gate: Gate | undefined): Launched {
  try {
    return start();
  } catch (error) {
    gate?.closeRead();
    gate?.close();
    throw error;
  }
}

async function startedPid(launched: Launched): Promise<number> {
  const event = await launched.nextEvent();
  if (event?.event === "started") return event.value;
  await launched.wait();
  throw new DevboxError("LAUNCH_FAILED", { step: "start the box", because: "the launcher ended without a word" });
}

/** A box whose creation failed ends by itself (its gate is closed) or is ended; what that brings up travels along. */
async function giveUp(launched: Launched, first: unknown): Promise<void> {
  launched.kill(9);
  try {
    await launched.wait();
  } catch (error) {
    if (first instanceof DevboxError && first !== error) first.alsoFailed.push(error);
  }
}

/** What the command itself is to blame for gets docker's exit codes 126 and 127. */
function translate({ op, label, errno }: LaunchFailure): DevboxError | undefined {
  const isCommand =
    op.kind === "fail" || (op.kind === "syscall" && op.call === "execve" && (op.tolerate?.length ?? 0) > 0);
  if (!isCommand) return undefined;
  if (errno === ENOENT) {
    const because = label.includes("/")
      ? "there is no such file in the box, or the interpreter that its first line names is missing"
      : "there is no such command in the box's PATH";
    return new DevboxError("COMMAND_NOT_FOUND", { step: label, because });
  }
  return new DevboxError("COMMAND_NOT_EXECUTABLE", { step: label, because: describeErrno(errno) });
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
      writeSync(write, Uint8Array.of(1));
      close();
    },
    close,
    closeRead() {
      if (readOpen) closeSync(read);
      readOpen = false;
    },
  };
}
