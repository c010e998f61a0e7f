/** What must come before what in a further process; what it does is proven on the kernel (test/kernel/sandbox/exec.test.ts). */
import { expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import type { RuntimeProcess } from "../../../src/oci/runtime.ts";
import type { ExecInput } from "../../../src/sandbox/input.ts";
import { planExec } from "../../../src/sandbox/plan-exec.ts";
import { plainConfig, sandboxInput } from "../../helpers/sandbox-plan.ts";

function lines(changes: Partial<ExecInput> = {}, process: Partial<RuntimeProcess> = {}): readonly string[] {
  const { facts, idMap } = sandboxInput();
  const plan = planExec({
    process: { ...plainConfig.process, ...process },
    seccomp: undefined,
    facts,
    join: ["user", "mount", "pid"],
    idMap,
    supervision: { kind: "tied" },
    cgroups: [],
    held: [],
    pipes: [],
    ...changes,
  });
  return explain(plan)
    .filter((line) => /^ *\d/.test(line))
    .map((line) => line.replace(/^ *\d+ {2}/, ""));
}

/** Where the first step is that fits. */
function places(all: readonly string[], ...steps: readonly RegExp[]): readonly number[] {
  return steps.map((step) => {
    const place = all.findIndex((line) => step.test(line));
    if (place < 0) throw new Error(`${step} is not there`);
    return place;
  });
}

function expectOrder(all: readonly string[], ...steps: readonly RegExp[]): void {
  const found = places(all, ...steps);
  expect(found).toEqual(found.toSorted((a, b) => a - b));
}

const joins = /: setns\(\{target\}, CLONE_NEWNS\|CLONE_NEWUSER\|CLONE_NEWPID\)/;

test("all namespaces are joined in one call, by a process that the container cannot look into, and that clones the other", () => {
  expectOrder(
    lines({}, { oomScoreAdj: 5 }),
    /^set oom_score_adj to 5: write/,
    /^be closed to the processes there: prctl\(/,
    joins,
    /: setresuid\(0, 0, 0\)/,
    /^start the process in the container: clone\(CLONE_PARENT\|SIGCHLD/,
  );
  expect(lines().filter((line) => /: setns\(/.test(line))).toHaveLength(1);
  expect(lines().some((line) => /own \/proc\/self/.test(line))).toBe(false);
});

test("descriptors of the host are closed before a path of the container is looked up, and a root of the host is noticed", () => {
  expectOrder(
    lines(),
    /^note the own root: statx/,
    joins,
    /^close all descriptors of the host: close_range\(6, ~0/,
    /^open the root: openat/,
    /^enter the root of the container: it has none yet, being created: fail/,
    /^enter the working directory \/work: openat2\(\$\d+, "work", \{.*RESOLVE_NO_MAGICLINKS\|RESOLVE_IN_ROOT/,
    /: setresuid\(1000, 1000, 1000\)/,
    /^execute \/bin\/sh: execve/,
  );
});

test("a container on our own root is not looked at", () => {
  const looks = (all: readonly string[]) => all.some((line) => /note the own root/.test(line));
  expect(looks(lines())).toBe(true);
  expect(looks(lines({ onOwnRoot: true }))).toBe(false);
  expect(lines({ join: [] }).some((line) => /setns/.test(line))).toBe(false);
});

test("an orphan is tied to nobody", () => {
  const tied = (all: readonly string[]) => all.some((line) => /^die with /.test(line));
  expect(tied(lines())).toBe(true);
  expect(tied(lines({ supervision: { kind: "orphaned" } }))).toBe(false);
  expect(lines({ supervision: { kind: "orphaned" } }).at(-1)).toBe("exit 0");
});

test("the terminal of a container is looked at before it is used", () => {
  expectOrder(
    lines({}, { terminal: true }),
    /^open a terminal: openat2/,
    /^open a terminal: what the container has .*: statx/,
    /^unlock the terminal/,
    /^open the terminal's slave/,
    /^send the terminal/,
    /^take the terminal/,
    /: setresuid\(1000, 1000, 1000\)/,
  );
});
