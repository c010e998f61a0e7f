/**
 * The first half of OCI "create": the processes of the container and its namespaces. They need nothing of the bundle, which
 * may be written meanwhile; `complete` (create.ts) goes on.
 */
import { writeSync } from "node:fs";
import { O_CLOEXEC } from "../../ffi/constants.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { closeOnce } from "../core/close-once.ts";
import { errnoName } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { type Launched, launch, type Stdio } from "../launch/launch.ts";
import type { IdMap, Namespace } from "../oci/runtime.ts";
import type { NamespaceInput } from "../sandbox/input.ts";
import { planNamespaces } from "../sandbox/plan-namespaces.ts";
import { type ConsoleSocket, openConsoleSocket } from "./console-socket.ts";
import { explainFailure } from "./explain-failure.ts";

export interface BeginInput {
  readonly namespaces: readonly Namespace[];
  readonly idMap: IdMap | undefined;
  readonly facts: HostFacts;
  /** Descriptors that the supervisor keeps open for as long as the box lives. */
  readonly held: Readonly<Record<string, number>>;
  readonly stdin: Stdio;
  readonly terminal: boolean;
  /** Hooks run before the command may start. */
  readonly hooks: boolean;
}

/** A container that comes into being. Disposed of before it is complete, it is given up, and gone. */
export interface Beginning extends AsyncDisposable {
  readonly launched: Launched;
  /** Without hooks nothing holds the command back. */
  readonly gate: Gate | undefined;
  readonly console: ConsoleSocket | undefined;
  readonly stdio: readonly [Stdio, Stdio, Stdio];
  /** From here on somebody else looks after what was launched. */
  handOver(): void;
}

/** @throws DevboxError BAD_CONFIG, NO_NEWUIDMAP, LAUNCH_FAILED where it cannot even begin. */
export function begin(input: BeginInput): Beginning {
  const gate = input.hooks ? openGate() : undefined;
  const console = input.terminal ? openConsoleSocket() : undefined;
  const stdio = [console === undefined ? input.stdin : "ignore", "inherit", "inherit"] as const;
  let launched: Launched;
  try {
    launched = launch(planNamespaces(namespaceInput(input)), {
      fds: {
        ...input.held,
        ...(gate === undefined ? {} : { go: gate.read }),
        ...(console === undefined ? {} : { console: console.theirs }),
      },
      stdio,
      translate: explainFailure,
    });
  } catch (error) {
    gate?.close();
    console?.[Symbol.dispose]();
    throw error;
  } finally {
    // Only the launcher holds its ends of the gate and the console afterwards.
    gate?.closeRead();
    console?.closeTheirs();
  }
  let isOurs = true;
  return {
    launched,
    gate,
    console,
    stdio,
    handOver: () => {
      isOurs = false;
    },
    async [Symbol.asyncDispose]() {
      console?.[Symbol.dispose]();
      if (!isOurs) return;
      gate?.close();
      // It waits for the rest of its plan, and ends when there will be none; why it is given up is known to the caller.
      await launched.wait().catch(() => {});
    },
  };
}

/** What the plan of the namespaces is made from. */
export function namespaceInput({ namespaces, idMap, facts, held, terminal, hooks }: BeginInput): NamespaceInput {
  const descriptors = [...Object.keys(held), ...(hooks ? ["go"] : []), ...(terminal ? ["console"] : [])];
  return { namespaces, idMap, facts, descriptors };
}

export interface Gate {
  readonly read: number;
  open(): void;
  close(): void;
  closeRead(): void;
}

/** A pipe: one byte lets the command run, its end without one gives it up. */
function openGate(): Gate {
  const [read, write] = pipe2(O_CLOEXEC);
  const close = closeOnce(write);
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
    closeRead: closeOnce(read),
  };
}
