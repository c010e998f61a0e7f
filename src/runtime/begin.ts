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
import { executedName } from "../launch/executed.ts";
import { type Launched, launch, type Stdio } from "../launch/launch.ts";
import type { IdMap, Namespace } from "../oci/runtime.ts";
import type { NamespaceInput, Supervision } from "../sandbox/input.ts";
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
  /** Of the command without a terminal; left out: this process's own. */
  readonly output?: readonly [stdout: Stdio, stderr: Stdio];
  readonly terminal: boolean;
  /** Connected socket of somebody who wants the terminal's master; left out: it is received here. */
  readonly console?: number;
  /** Hooks run before the command may start. */
  readonly hooks: boolean;
  /** Left out: tied to this process. */
  readonly supervision?: Supervision;
  /** Descriptors that only the init process may hold. */
  readonly initOnly?: Readonly<Record<string, number>>;
  /** Descriptors of `cgroup.procs` files. */
  readonly cgroups?: readonly number[];
  /** The launched process tells when the command is executed: `Launched.executed`. */
  readonly watchExec?: boolean;
  /** What else the namespaces are made of. */
  readonly more?: Pick<
    NamespaceInput,
    "timeOffsets" | "netDevices" | "netAddresses" | "idmappedMounts" | "oomScoreAdj"
  >;
}

/** A container that comes into being. Disposed of before it is complete, it is given up, and gone. */
export interface Beginning extends AsyncDisposable {
  readonly launched: Launched;
  /** Operations of the plan that has begun: the next one's are counted from there. */
  readonly opsBefore: number;
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
  const console = input.terminal && input.console === undefined ? openConsoleSocket() : undefined;
  const stdio = [
    input.terminal ? "ignore" : input.stdin,
    ...(input.output ?? (["inherit", "inherit"] as const)),
  ] as const;
  let launched: Launched;
  let opsBefore: number;
  try {
    const plan = planNamespaces(namespaceInput(input));
    opsBefore = plan.ops.length;
    const theirs = input.console ?? console?.theirs;
    launched = launch(plan, {
      fds: {
        ...input.held,
        ...input.initOnly,
        ...Object.fromEntries((input.cgroups ?? []).map((fd, index) => [cgroupName(index), fd])),
        ...(gate === undefined ? {} : { go: gate.read }),
        ...(theirs === undefined ? {} : { console: theirs }),
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
    opsBefore,
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
export function namespaceInput(input: BeginInput): NamespaceInput {
  const {
    namespaces,
    idMap,
    facts,
    held,
    terminal,
    hooks,
    supervision,
    watchExec,
    initOnly = {},
    cgroups = [],
  } = input;
  const only = [...Object.keys(initOnly), ...(watchExec === true ? [executedName] : [])];
  const ours = [...(hooks ? ["go"] : []), ...(terminal ? ["console"] : [])];
  const groups = cgroups.map((_, index) => cgroupName(index));
  return {
    namespaces,
    idMap,
    facts,
    descriptors: [...Object.keys(held), ...ours, ...only, ...groups],
    initOnly: only,
    cgroups: groups,
    ...(supervision === undefined ? {} : { supervision }),
    ...input.more,
  };
}

function cgroupName(index: number): string {
  return `cgroup-${index}`;
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
