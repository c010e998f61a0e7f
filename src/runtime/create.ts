/**
 * OCI "create" (runtime-spec runtime.md "Lifecycle" steps 1 to 5): the namespaces are begun, the sandbox is planned and handed
 * to the init process, the createRuntime hooks run beside the mounts that it makes, and the command waits for `start`.
 */
import { closeSync } from "node:fs";
import { SIGKILL } from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { Launched } from "../launch/launch.ts";
import type { Hook, RuntimeConfig, State } from "../oci/runtime.ts";
import type { SandboxInput } from "../sandbox/input.ts";
import { planBox } from "../sandbox/plan-create.ts";
import { type BeginInput, type Beginning, begin } from "./begin.ts";
import { type HookRunner, runHooks } from "./hooks.ts";
import { sendSignal } from "./signal.ts";
import { pipesToGive, startedPid } from "./started.ts";

export interface CompleteInput {
  readonly id: string;
  /** Directory of the bundle, for the hooks' state. */
  readonly bundle: string;
  readonly sandbox: Omit<SandboxInput, "gates" | "pipes">;
  readonly runHook: HookRunner;
  /** Gives up the creation; a box that was created goes on. */
  readonly signal: AbortSignal;
}

export type CreateInput = CompleteInput & Pick<BeginInput, "held" | "stdin">;

/** A created container: its processes exist, its command waits. */
export interface Container {
  /** Of the init process, as the host counts. */
  readonly pid: number;
  /** Master of its terminal, not blocking, the caller's to close; undefined without one. */
  readonly terminal: number | undefined;
  readonly launched: Launched;
  /** OCI "start": let the command run. */
  start(): void;
}

/**
 * OCI "create" of a bundle that is there.
 * @throws DevboxError LAUNCH_FAILED, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, HOOK_FAILED; nothing of it runs then.
 */
export async function create(input: CreateInput): Promise<Container> {
  const { held, stdin, sandbox } = input;
  const { config, idMap, facts } = sandbox;
  const { namespaces } = config.linux;
  const terminal = config.process.terminal === true;
  const hooks = hooksBeforeStart(config).length > 0;
  const { openedMounts: idmappedMounts = [] } = sandbox;
  await using beginning = begin({ namespaces, idMap, facts, held, stdin, terminal, hooks, more: { idmappedMounts } });
  return await complete(beginning, input);
}

/** The second half: what has begun becomes the container of a bundle. Throws as `create` does. */
export async function complete(beginning: Beginning, input: CompleteInput): Promise<Container> {
  const { launched, gate, console } = beginning;
  let pid: number | undefined;
  let terminal: number | undefined;
  try {
    launched.proceed(
      planBox({
        ...input.sandbox,
        gates: gate === undefined ? {} : { exec: "go" },
        pipes: pipesToGive(input.sandbox.config.process, beginning.stdio),
      }),
    );
    pid = await startedPid(launched);
    const hooked = runHooks(
      "createRuntime",
      hooksBeforeStart(input.sandbox.config),
      creatingState(input, pid),
      input.runHook,
    );
    // Awaited below; that it fails in the meantime is no unhandled rejection.
    hooked.catch(() => {});
    // The socket is read at once: the launcher sends early and the hooks are under way.
    terminal = console?.receive();
    await unlessAborted(hooked, input.signal);
    beginning.handOver();
    return { pid, terminal, launched, start: () => gate?.open() };
  } catch (error) {
    gate?.close();
    if (terminal !== undefined) closeSync(terminal);
    beginning.handOver();
    throw await giveUp(launched, pid, error);
  }
}

/** Those that run in the namespaces of the runtime while the container comes into being. */
export function hooksBeforeStart({ hooks }: Pick<RuntimeConfig, "hooks">): readonly Hook[] {
  return [...(hooks?.prestart ?? []), ...(hooks?.createRuntime ?? [])];
}

function creatingState({ id, bundle, sandbox }: CompleteInput, pid: number): State {
  const { annotations } = sandbox.config;
  const state: State = { ociVersion: "1.2.0", id, status: "creating", pid, bundle };
  return annotations === undefined ? state : { ...state, annotations };
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

/**
 * Ends a box whose creation failed, and waits until it is gone. Returns the error to report: where the box has failed by
 * itself, a hook that did not find it any more is only what followed.
 */
async function giveUp(launched: Launched, pid: number | undefined, first: unknown): Promise<unknown> {
  // PID 1 takes all of the box along; its supervisor sees that and ends, which tells us.
  if (pid === undefined) launched.kill(SIGKILL);
  else sendSignal(pid, SIGKILL);
  try {
    await launched.wait();
  } catch (error) {
    return error instanceof DevboxError ? error : first;
  }
  return first;
}
