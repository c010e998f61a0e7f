/** Hooks (runtime-spec config.md "POSIX-platform Hooks"): programs that get the state on stdin, one after the other. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { O_CLOEXEC, SIGKILL } from "../../ffi/constants.ts";
import { memfdCreate } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import { hookOutput } from "../oci/hook-outputs.ts";
import type { Hook, HookPoint, State } from "../oci/runtime.ts";
import { sendSignal } from "./signal.ts";

/**
 * Runs one hook of the runtime namespace. The caller may take hooks that it knows into its own process, which saves
 * starting a program; all others go to `runHookProgram`.
 */
export type HookRunner = (point: HookPoint, hook: Hook, state: State, index: number) => Promise<void>;

/** @throws DevboxError HOOK_FAILED naming the hook; those after it do not run. */
export async function runHooks(
  point: HookPoint,
  hooks: readonly Hook[],
  state: State,
  runHook: HookRunner,
): Promise<void> {
  for (const [index, hook] of hooks.entries()) await runHook(point, hook, state, index);
}

/** Executes a hook as the spec says: its args (with the name as first), its env, state on stdin, its timeout. */
export async function runHookProgram(point: HookPoint, hook: Hook, state: State, index: number): Promise<void> {
  const step = `${point} hook #${index} ${hook.path}`;
  // A file, and not a pipe: who waits for a pipe's end waits for every daemon that the hook leaves behind.
  using stack = new DisposableStack();
  const kept = stack.adopt(memfdCreate("hook-errors"), closeSync);
  const [output, errors = kept] = hookStreams.map((stream) => openOutput(step, hookOutput(state, stream), stack));
  const child = spawnHook(step, hook, state, { output, errors });
  const isInTime = await endsInTime(child, hook.timeout);
  if (!isInTime)
    throw new DevboxError("HOOK_FAILED", { step, because: `it took longer than its timeout of ${hook.timeout} s` });
  if (child.exitCode === 0) return;
  const end = child.signalCode === null ? `exit status ${child.exitCode}` : `ended by ${child.signalCode}`;
  const said = lastLine(kept);
  throw new DevboxError("HOOK_FAILED", { step, because: said === "" ? end : `${end}: ${said}` });
}

const hookStreams = ["stdout", "stderr"] as const;

function openOutput(step: string, path: string | undefined, stack: DisposableStack): number | undefined {
  if (path === undefined) return undefined;
  try {
    // Without waiting for the reader of a FIFO, which then is an error.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | O_CLOEXEC;
    return stack.adopt(openSync(path, flags, 0o700), closeSync);
  } catch (cause) {
    throw new DevboxError("HOOK_FAILED", { step: `${step}: open ${path} for what it prints`, cause });
  }
}

type HookProcess = Pick<Bun.Subprocess, "pid" | "exited" | "exitCode" | "signalCode">;

interface HookOutputs {
  readonly output: number | undefined;
  readonly errors: number;
}

function spawnHook(step: string, hook: Hook, state: State, { output, errors }: HookOutputs): HookProcess {
  const [argv0 = hook.path, ...args] = hook.args ?? [hook.path];
  try {
    return Bun.spawn({
      cmd: [hook.path, ...args],
      argv0,
      // Without one it has ours, as under runc and crun: scripts count on a PATH.
      env: hook.env === undefined ? process.env : Object.fromEntries(hook.env.map(splitVariable)),
      stdin: new TextEncoder().encode(JSON.stringify(state)),
      stdout: output ?? "ignore",
      stderr: errors,
      // A process group of its own, to be ended whole; and Ctrl-C at the terminal is for the box.
      detached: true,
    });
  } catch (cause) {
    throw new DevboxError("HOOK_FAILED", { step, cause });
  }
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** The longest time that a timer can be set to. */
const maxDelayMs = 2 ** 31 - 1;

/** Waits for the end of a hook; one that is late is killed with all that it has started, and false. */
async function endsInTime(child: HookProcess, seconds: number | undefined): Promise<boolean> {
  if (seconds === undefined) {
    await child.exited;
    return true;
  }
  let isInTime = true;
  const timer = setTimeout(
    () => {
      isInTime = false;
      sendSignal(-child.pid, SIGKILL);
    },
    Math.min(seconds * 1000, maxDelayMs),
  );
  await child.exited;
  clearTimeout(timer);
  return isInTime;
}

const maxErrorBytes = 4096;

function lastLine(file: number): string {
  const { size } = fstatSync(file);
  const bytes = new Uint8Array(Math.min(size, maxErrorBytes));
  readSync(file, bytes, 0, bytes.length, size - bytes.length);
  return new TextDecoder().decode(bytes).trim().split("\n").at(-1)?.trim() ?? "";
}
