/** The state machine of a container (runtime-spec runtime.md "State", "Operations"): pure. */
import { DevboxError } from "../core/errors.ts";
import type { ContainerStatus } from "../oci/runtime.ts";
import type { ContainerRecord } from "./record.ts";

/** What is seen of a container. */
export interface Observation {
  readonly phase: ContainerRecord["phase"];
  /** Its init process is there. */
  readonly isAlive: boolean;
  /** It has not begun to execute the command. */
  readonly isWaiting: boolean;
  readonly isFrozen: boolean;
}

/** What a container is follows from what is seen of it; nothing has to be written down when its process ends. */
export function statusOf({ phase, isAlive, isWaiting, isFrozen }: Observation): ContainerStatus {
  if (phase === "creating" && isAlive) return "creating";
  if (!isAlive) return "stopped";
  if (isFrozen) return "paused";
  return isWaiting ? "created" : "running";
}

export type Operation = "start" | "kill" | "delete" | "exec" | "pause" | "resume" | "update" | "ps" | "events";

interface Rule {
  readonly allowed: readonly ContainerStatus[];
  /** Engines look for some of these words: containerd for "container not running", podman for "does not exist". */
  readonly refusal: (status: ContainerStatus) => string;
}

const alive = ["created", "running", "paused"] as const;
const notRunning = (status: ContainerStatus): string => `container not running: it is ${status}`;

const startRefusals: Readonly<Partial<Record<ContainerStatus, string>>> = {
  running: "cannot start an already running container",
  stopped: "cannot start a container that has stopped",
};

const rules: Readonly<Record<Operation, Rule>> = {
  start: {
    allowed: ["created"],
    refusal: (status) => startRefusals[status] ?? `cannot start a container in the ${status} state`,
  },
  // Hooks of a container that comes into being may end it.
  kill: { allowed: ["creating", ...alive], refusal: notRunning },
  delete: {
    allowed: ["stopped"],
    refusal: (status) => `cannot delete a container that is not stopped: it is ${status}`,
  },
  exec: {
    allowed: ["created", "running"],
    refusal: (status) =>
      status === "paused"
        ? "cannot exec in a paused container (use --ignore-paused to override)"
        : `cannot exec in a ${status} container`,
  },
  pause: { allowed: ["created", "running"], refusal: (status) => `container not running or created: it is ${status}` },
  resume: { allowed: ["paused"], refusal: (status) => `container not paused: it is ${status}` },
  update: { allowed: alive, refusal: notRunning },
  // Of a container that has ended there may be processes left; most often there are none.
  ps: { allowed: [...alive, "stopped"], refusal: notRunning },
  events: { allowed: alive, refusal: notRunning },
};

/** @throws DevboxError CONTAINER_STATE that names the state */
export function checkTransition(operation: Operation, id: string, status: ContainerStatus): void {
  const { allowed, refusal } = rules[operation];
  if (allowed.includes(status)) return;
  throw new DevboxError("CONTAINER_STATE", { step: `${operation} container ${id}`, because: refusal(status) });
}
