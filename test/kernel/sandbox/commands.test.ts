/** Looking for a command and running it, without a box: whose command it is, and on which processors. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { O_CLOEXEC } from "../../../ffi/constants.ts";
import { pipe2 } from "../../../ffi/libc.ts";
import { launch } from "../../../src/launch/launch.ts";
import { beginPlan, type PlanBuilder } from "../../../src/launch/plan.ts";
import type { IdMap, RuntimeProcess } from "../../../src/oci/runtime.ts";
import { explainFailure } from "../../../src/runtime/explain-failure.ts";
import { execute, findExecutable } from "../../../src/sandbox/exec.ts";
import { setAffinity } from "../../../src/sandbox/schedule.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-commands-"));
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const isRoot = uid === 0;
/** Who may not set groups. */
const idMap: IdMap = {
  uid: [{ containerID: 0, hostID: uid, size: 1 }],
  gid: [{ containerID: 0, hostID: gid, size: 1 }],
};
/** What an ordinary user has none of anyway. */
const none = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
const base: RuntimeProcess = { cwd: "/", args: ["tool"], env: [], user: { uid, gid }, capabilities: none };

beforeAll(() => {
  chmodSync(directory, 0o755);
  for (const name of ["first", "second", "closed"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "first/plain"), "");
  writeFileSync(join(directory, "second/plain"), "", { mode: 0o755 });
  writeFileSync(join(directory, "second/tool"), "", { mode: 0o755 });
  writeFileSync(join(directory, "second/data"), "");
  writeFileSync(join(directory, "second/group"), "");
  mkdirSync(join(directory, "first/directory"));
  symlinkSync("circle", join(directory, "first/circle"));
  symlinkSync("tool", join(directory, "second/link"));
  writeFileSync(join(directory, "closed/tool"), "", { mode: 0o755 });
  chmodSync(join(directory, "closed"), 0o000);
});
afterAll(() => {
  chmodSync(join(directory, "closed"), 0o700);
  rmSync(directory, { recursive: true });
});

async function run(title: string, steps: (plan: PlanBuilder) => void): Promise<number> {
  const plan = beginPlan(title);
  steps(plan);
  return await launch(plan.finish(), { translate: explainFailure }).wait();
}

/** Where directories stand for PATH. */
function look(command: string, directories: readonly string[], changes: Partial<RuntimeProcess> = {}): Promise<number> {
  const path = directories.map((name) => join(directory, name)).join(":");
  const env = [`PATH=${path}`];
  const sought = { ...base, args: [command.replace("$", directory)], env, ...changes };
  return run("look", (plan) => {
    findExecutable(plan, { process: sought, idMap: isRoot ? undefined : idMap });
    plan.add({ kind: "exit", code: 0 });
  });
}

describe("what is there", () => {
  test.each([
    ["in the second place", "tool", ["first", "second"]],
    ["past one that may not be executed", "plain", ["first", "second"]],
    ["past a directory that is closed", "tool", ["closed", "second"]],
    ["past a directory that does not exist", "tool", ["none", "first/plain", "second"]],
    ["over a link", "link", ["second"]],
    ["by its path", "$/second/tool", []],
  ])("%s", async (_, command, directories) => expect(await look(command, directories)).toBe(0));

  test("in a PATH with more directories than a plan has slots", async () => {
    const many = Array.from({ length: 300 }, (_, index) => `none-${index}`);
    expect(await look("tool", [...many, "second"])).toBe(0);
  });
});

describe("what is not there, or not to be executed, is told as its execution would", () => {
  const missing = "COMMAND_NOT_FOUND";
  const closed = "COMMAND_NOT_EXECUTABLE";
  test.each([
    ["nowhere", "tools", ["first", "second"], missing, "execute tools"],
    ["an empty name", "", ["second"], missing, "execute "],
    ["no such path", "$/second/tools", [], missing, "execute $/second/tools"],
    ["below a file", "$/second/tool/x", [], missing, "execute $/second/tool/x"],
    ["no right to execute", "data", ["first", "second"], closed, "execute $/second/data"],
    ["a directory", "directory", ["first"], closed, "execute $/first/directory"],
    ["in a directory that is closed", "tool", ["closed"], closed, "execute $/closed/tool"],
    ["a link to itself", "$/first/circle", [], closed, "execute $/first/circle"],
  ])("%s", async (_, command, directories, code, step) => {
    const expected = { code, step: step.replace("$", directory) };
    await expect(look(command, directories)).rejects.toMatchObject(expected);
    const path = directories.map((name) => join(directory, name)).join(":");
    const executed = { ...base, args: [command.replace("$", directory)], env: [`PATH=${path}`] };
    if (!isRoot) await expect(run("execute", (plan) => execute(plan, executed))).rejects.toMatchObject(expected);
  });
});

describe.if(isRoot)("whose rights count", () => {
  const asUser = { user: { uid: 4321, gid: 4321 }, capabilities: { ...none, permitted: ["CAP_DAC_OVERRIDE"] } };

  test("those of the user, and not ours", async () => {
    chownSync(join(directory, "second/group"), 0, 0);
    chmodSync(join(directory, "second/group"), 0o750);
    expect(await look("group", ["second"])).toBe(0);
    await expect(look("group", ["second"], asUser)).rejects.toMatchObject({ code: "COMMAND_NOT_EXECUTABLE" });
    const effective = ["CAP_DAC_OVERRIDE"];
    const able = { ...asUser, capabilities: { ...none, permitted: effective, effective } };
    expect(await look("group", ["second"], able)).toBe(0);
  });

  test("with the groups of the user", async () => {
    chownSync(join(directory, "second/group"), 0, 8765);
    const user = { uid: 4321, gid: 4321, additionalGids: [8765] };
    expect(await look("group", ["second"], { user })).toBe(0);
  });
});

describe("processors", () => {
  const count = cpus().length;
  async function allowed(execCPUAffinity: RuntimeProcess["execCPUAffinity"]): Promise<string> {
    const args = ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"];
    const sought = { ...base, args, ...(execCPUAffinity && { execCPUAffinity }) };
    const plan = beginPlan("processors");
    setAffinity(plan, "initial", sought);
    setAffinity(plan, "final", sought);
    execute(plan, sought);
    const [read, write] = pipe2(O_CLOEXEC);
    const launched = launch(plan.finish(), { stdio: ["ignore", write, "inherit"] });
    const status = await launched.wait();
    expect(status).toBe(0);
    const bytes = Buffer.alloc(256);
    const length = readSync(read, bytes);
    for (const fd of [read, write]) closeSync(fd);
    return bytes.toString("utf8", 0, length).split(/\s+/)[1] ?? "";
  }

  test("initial, then final; without final, all that there are", async () => {
    const all = await allowed(undefined);
    const last = String(count - 1);
    expect(await allowed({ initial: "0", final: last })).toBe(last);
    expect(await allowed({ final: "0" })).toBe("0");
    expect(await allowed({ initial: "0" })).toBe(all);
  });

  test("one that there is not", async () => {
    const sought = { ...base, execCPUAffinity: { final: "8000" } };
    await expect(run("processors", (plan) => setAffinity(plan, "final", sought))).rejects.toMatchObject({
      code: "LAUNCH_FAILED",
      step: "run on the processors 8000",
    });
  });
});
