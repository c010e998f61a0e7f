/** Hooks (runtime-spec config.md "POSIX-platform Hooks"): programs that get the state on stdin, one after the other. */
import { DevboxError } from "../core/errors.ts";
import type { Hook, HookPoint, State } from "../oci/runtime.ts";

/**
 * Runs one hook of the runtime namespace. The caller may take hooks that it knows into its own process, which saves
 * starting a program; all others go to `runHookProgram`.
 */
export type HookRunner = (point: HookPoint, hook: Hook, state: State) => Promise<void>;

/** @throws DevboxError HOOK_FAILED naming the hook; those after it do not run. */
export async function runHooks(
  point: HookPoint,
  hooks: readonly Hook[],
  state: State,
  runHook: HookRunner,
): Promise<void> {
  for (const hook of hooks) await runHook(point, hook, state);
}

/** Executes a hook as the spec says: its args (with the name as first), only its env, state on stdin, its timeout. */
export async function runHookProgram(point: HookPoint, hook: Hook, state: State): Promise<void> {
  const step = `${point} hook ${hook.path}`;
  const [argv0 = hook.path, ...args] = hook.args ?? [hook.path];
  const environment = (hook.env ?? []).map((entry): [string, string] => {
    const equals = entry.indexOf("=");
    return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });
  const child = spawnHook(step, hook, argv0, args, Object.fromEntries(environment), state);
  const [status, errors] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (child.signalCode === "SIGKILL" && hook.timeout !== undefined)
    throw new DevboxError("HOOK_FAILED", { step, because: `it took longer than its timeout of ${hook.timeout} s` });
  if (status !== 0) {
    const said = errors.trim().split("\n").at(-1) ?? "";
    throw new DevboxError("HOOK_FAILED", { step, because: `exit status ${status}${said === "" ? "" : `: ${said}`}` });
  }
}

function spawnHook(
  step: string,
  hook: Hook,
  argv0: string,
  args: readonly string[],
  env: Record<string, string>,
  state: State,
): Bun.Subprocess<Uint8Array, "ignore", "pipe"> {
  try {
    return Bun.spawn({
      cmd: [hook.path, ...args],
      argv0,
      env,
      stdin: new TextEncoder().encode(JSON.stringify(state)),
      stdout: "ignore",
      stderr: "pipe",
      ...(hook.timeout === undefined ? {} : { timeout: hook.timeout * 1000, killSignal: "SIGKILL" }),
    });
  } catch (cause) {
    throw new DevboxError("HOOK_FAILED", { step, cause });
  }
}
