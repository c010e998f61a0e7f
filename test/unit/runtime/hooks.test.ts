/** Hooks are real programs; `runHookProgram` needs nothing of the kernel but to start them. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DevboxError } from "../../../src/core/errors.ts";
import type { Hook, State } from "../../../src/oci/runtime.ts";
import { runHookProgram, runHooks } from "../../../src/runtime/hooks.ts";
import { gone } from "../../helpers/processes.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-hooks-"));
afterAll(() => rmSync(directory, { recursive: true }));
const state: State = {
  ociVersion: "1.2.0",
  id: "b",
  status: "creating",
  pid: 7,
  bundle: "/b",
  annotations: { a: "é" },
};
const file = (name: string): string => join(directory, name);

/** A hook that runs a shell script. */
const shell = (script: string, rest: Partial<Hook> = {}): Hook => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...rest,
});

async function failureOf(hook: Hook): Promise<DevboxError> {
  const error = await runHookProgram("createRuntime", hook, state, 2).then(
    () => "it did not fail",
    (thrown) => thrown,
  );
  if (error instanceof DevboxError) return error;
  throw error;
}

describe("what a hook is given", () => {
  test("the state on stdin, to its end", async () => {
    await runHookProgram("prestart", shell(`cat > ${file("state")}`), state, 0);
    expect(JSON.parse(readFileSync(file("state"), "utf8"))).toEqual(state);
  });

  test("its args with the name first, whatever the path", async () => {
    const hook = {
      path: "/bin/sh",
      args: ["other-name", "-c", `echo "$0|$*" > ${file("args")}`, "zero", "one", "t w o"],
    };
    await runHookProgram("prestart", hook, state, 0);
    expect(readFileSync(file("args"), "utf8")).toBe("zero|one t w o\n");
    const name = { path: "/bin/sh", args: ["my-name", "-c", `tr '\\0' ' ' < /proc/$$/cmdline > ${file("name")}`] };
    await runHookProgram("prestart", name, state, 0);
    expect(readFileSync(file("name"), "utf8")).toStartWith("my-name -c ");
  });

  test("its env and nothing of ours", async () => {
    const hook: Hook = {
      path: "/usr/bin/env",
      args: ["env", "/bin/sh", "-c", `/usr/bin/env > ${file("env")}`],
      env: ["A=b=c", "EMPTY=", "BARE"],
    };
    await runHookProgram("prestart", hook, state, 0);
    const lines = readFileSync(file("env"), "utf8").trim().split("\n");
    const ofTheShell = ["PWD", "SHLVL", "_", "OLDPWD"];
    expect(lines.filter((line) => !ofTheShell.includes(line.split("=")[0] ?? "")).sort()).toEqual([
      "A=b=c",
      "BARE=",
      "EMPTY=",
    ]);
  });

  test("our env where it has none of its own", async () => {
    await runHookProgram("prestart", shell(`echo "$PATH" > ${file("path")}`), state, 0);
    expect(readFileSync(file("path"), "utf8")).toBe(`${process.env["PATH"]}\n`);
  });

  test("files of annotations for what it prints, behind what stands there", async () => {
    const annotations = { "run.oci.hooks.stdout": file("printed"), "run.oci.hooks.stderr": file("errors") };
    for (const word of ["a", "b"])
      await runHookProgram("prestart", shell(`echo ${word}; echo ${word} >&2`), { ...state, annotations }, 0);
    for (const name of ["printed", "errors"]) expect(readFileSync(file(name), "utf8")).toBe("a\nb\n");
    const nowhere = { ...state, annotations: { "run.oci.hooks.stdout": file("no/where") } };
    expect(runHookProgram("prestart", shell("true"), nowhere, 0)).rejects.toThrow(`open ${file("no/where")}`);
  });

  test("no state is forced on a hook that does not read it", async () => {
    await runHookProgram("prestart", { path: "/bin/true" }, state, 0);
  });
});

describe("a hook that fails", () => {
  test("is named with its point, its exit status and the last line that it said", async () => {
    const error = await failureOf(shell("echo first >&2; echo 'no tap device' >&2; exit 3"));
    expect(error).toMatchObject({ code: "HOOK_FAILED", step: "createRuntime hook #2 /bin/sh" });
    expect(error.because).toBe("exit status 3: no tap device");
    expect((await failureOf(shell("exit 1"))).because).toBe("exit status 1");
  });

  test("says the end of what it said, however much that was", async () => {
    const error = await failureOf(
      shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789 >&2; i=$((i+1)); done; echo end >&2; exit 1"),
    );
    expect(error.because).toBe("exit status 1: end");
  });

  test("by a signal", async () => {
    expect((await failureOf(shell("kill -TERM $$"))).because).toBe("ended by SIGTERM");
  });

  test("because it is not there, or is no program", async () => {
    expect(await failureOf({ path: file("nothing") })).toMatchObject({ code: "HOOK_FAILED" });
    writeFileSync(file("text"), "no program");
    expect(await failureOf({ path: file("text") })).toMatchObject({ code: "HOOK_FAILED" });
  });

  test("keeps those after it from running", async () => {
    const ran: string[] = [];
    const hooks = ["a", "b", "c"].map((path): Hook => ({ path }));
    const run = async (_: unknown, { path }: Hook): Promise<void> => {
      ran.push(path);
      if (path === "b") throw new Error("b");
    };
    expect(runHooks("poststop", hooks, state, run)).rejects.toThrow("b");
    expect(ran).toEqual(["a", "b"]);
  });
});

describe("a hook that takes long", () => {
  test("is ended at its timeout, with all that it has started", async () => {
    const error = await failureOf(shell(`sleep 1000 & echo $! > ${file("pid")}; wait`, { timeout: 0.2 }));
    expect(error.because).toBe("it took longer than its timeout of 0.2 s");
    await gone([Number(readFileSync(file("pid"), "utf8"))]);
  });

  test("in time is left alone, also what it leaves behind with its output open", async () => {
    await runHookProgram("prestart", shell(`sleep 1000 & echo $! > ${file("daemon")}`, { timeout: 1000 }), state, 0);
    const pid = Number(readFileSync(file("daemon"), "utf8"));
    process.kill(pid, "SIGKILL");
    await gone([pid]);
  });
});

test("hooks run one after the other, in order", async () => {
  const hooks = [shell(`sleep 0.05; echo a >> ${file("order")}`), shell(`echo b >> ${file("order")}`)];
  await runHooks("poststart", hooks, state, runHookProgram);
  expect(readFileSync(file("order"), "utf8")).toBe("a\nb\n");
});
