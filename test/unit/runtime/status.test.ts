/** The state machine as a table. */
import { describe, expect, test } from "bun:test";
import type { ContainerStatus } from "../../../src/oci/runtime.ts";
import { checkTransition, type Observation, type Operation, statusOf } from "../../../src/runtime/status.ts";
import { failureOf } from "../../helpers/failure.ts";

const observed: Observation = { phase: "created", isAlive: true, isWaiting: false, isFrozen: false };

test.each<[string, Partial<Observation>, ContainerStatus]>([
  ["a record of a creation under way", { phase: "creating", isWaiting: true }, "creating"],
  ["the FIFO is there", { isWaiting: true }, "created"],
  ["the FIFO is gone", {}, "running"],
  ["its group is frozen", { isFrozen: true }, "paused"],
  ["it waits, and its group is frozen", { isFrozen: true, isWaiting: true }, "paused"],
  ["its process is gone", { isAlive: false }, "stopped"],
  ["its process is gone before it was started", { isAlive: false, isWaiting: true }, "stopped"],
  ["its process is gone while it was created", { isAlive: false, phase: "creating", isWaiting: true }, "stopped"],
  ["its process is gone, and the group still frozen", { isAlive: false, isFrozen: true }, "stopped"],
])("%s: %j is %s", (_, seen, status) => expect(statusOf({ ...observed, ...seen })).toBe(status));

const statuses = ["creating", "created", "running", "paused", "stopped"] as const;

/** In which states an operation is allowed: one letter a state, in the order above. */
const table: Readonly<Record<Operation, string>> = {
  //       creating created running paused stopped
  start: "  -        +       -       -      -",
  kill: "   +        +       +       +      -",
  delete: " -        -       -       -      +",
  exec: "   -        +       +       -      -",
  pause: "  -        +       +       -      -",
  resume: " -        -       -       +      -",
  update: " -        +       +       +      -",
  ps: "     -        +       +       +      +",
  events: " -        +       +       +      -",
};

describe.each(Object.keys(table) as Operation[])("%s", (operation) => {
  const cells = table[operation].trim().split(/\s+/);
  test.each(statuses)("of a %s container", (status) => {
    const check = (): void => checkTransition(operation, "c1", status);
    if (cells[statuses.indexOf(status)] === "+") return check();
    const error = failureOf(check);
    expect(error.code).toBe("CONTAINER_STATE");
    expect(error.message).toContain(`${operation} container c1: `);
    expect(error.message).toContain(status === "stopped" && operation === "start" ? "has stopped" : status);
  });
});

test("engines recognize what they look for", () => {
  // containerd, pkg/process/utils.go: checkKillError
  expect(failureOf(() => checkTransition("kill", "c1", "stopped")).message).toContain("container not running");
});
