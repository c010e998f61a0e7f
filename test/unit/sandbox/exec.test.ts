import { describe, expect, test } from "bun:test";
import { EACCES, ENOENT } from "../../../ffi/errno.ts";
import { beginPlan } from "../../../src/launch/plan.ts";
import { candidates, execute } from "../../../src/sandbox/exec.ts";

describe("where a command is looked for", () => {
  test.each([
    ["a name: each directory of PATH, in order", "ls", ["PATH=/a:/b"], ["/a/ls", "/b/ls"]],
    ["a path is taken as it is", "./x/ls", ["PATH=/a"], ["./x/ls"]],
    ["an absolute path", "/bin/ls", [], ["/bin/ls"]],
    ["empty elements are no working directory", "ls", ["PATH=:/a::/b:"], ["/a/ls", "/b/ls"]],
    ["a slash at the end, and the root", "ls", ["PATH=/a/:/"], ["/a/ls", "/ls"]],
    ["the last PATH wins", "ls", ["PATH=/a", "HOME=/", "PATH=/b"], ["/b/ls"]],
    ["an empty PATH has nothing", "ls", ["PATH="], []],
    ["an empty command is nowhere", "", ["PATH=/a"], []],
  ])("%s", (_, command, env, expected) => {
    expect(candidates(command, env)).toEqual(expected);
  });

  test("without PATH: docker's default", () => {
    const paths = candidates("ls", ["XPATH=/x"]);
    expect(paths[0]).toBe("/usr/local/sbin/ls");
    expect(paths.at(-1)).toBe("/bin/ls");
  });
});

function executions(args: readonly string[], env: readonly string[]) {
  const plan = beginPlan("test");
  execute(plan, { args, env, cwd: "/", user: { uid: 0, gid: 0 } });
  return plan.finish().ops;
}

describe("what is executed", () => {
  const ops = executions(["ls", "-l"], ["PATH=/a:/b", "X=1"]);

  test("all candidates twice: one that may not be executed counts only when there is no other (execvp(3))", () => {
    const tried = ops.flatMap((op) => (op.kind === "syscall" ? [[op.label, op.tolerate?.includes(EACCES)]] : []));
    expect(tried).toEqual([
      ["execute /a/ls", true],
      ["execute /b/ls", true],
      ["execute /a/ls", false],
      ["execute /b/ls", false],
    ]);
  });

  test("and if there is none, that is said", () => {
    expect(ops.at(-1)).toEqual({ kind: "fail", label: "execute ls", errno: ENOENT });
    expect(executions([], []).at(-1)).toEqual({ kind: "fail", label: "execute ", errno: ENOENT });
  });
});
