/** Creation that goes wrong leaves nothing behind: no process, no descriptor, no mount. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DevboxError } from "../../../src/core/errors.ts";
import type { Hook, RuntimeConfig, State } from "../../../src/oci/runtime.ts";
import { create } from "../../../src/runtime/create.ts";
import { type BoxSettings, boxInput, failure, openWorkshop, sharedDirectory } from "../../helpers/busybox-box.ts";
import { mountsBelow } from "../../helpers/machine.ts";
import { descendants, gone, namespaceOf } from "../../helpers/processes.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const hook: Hook = { path: "/hook" };
const withHooks =
  (hooks: RuntimeConfig["hooks"]) =>
  (config: RuntimeConfig): RuntimeConfig => ({
    ...config,
    ...(hooks === undefined ? {} : { hooks }),
  });
const hooked = (runHook: NonNullable<BoxSettings["runHook"]>, rest: BoxSettings = {}): BoxSettings => ({
  config: withHooks({ createRuntime: [hook] }),
  runHook,
  ...rest,
});

/** What an action could leave behind: how many descriptors are open, child processes, mounts. */
const traces = () => ({
  descriptors: readdirSync("/proc/self/fd").length,
  children: descendants(process.pid).length,
  mounts: mountsBelow(workshop.path).length,
});

/** Runs an action five times, the first to warm up. Streams are closed some turns after they have ended: that is awaited. */
async function leavesNothing(action: () => Promise<unknown>): Promise<void> {
  await action();
  const before = traces();
  for (let i = 0; i < 4; i++) await action();
  const isClean = (): boolean => {
    const { descriptors, children, mounts } = traces();
    return descriptors <= before.descriptors && children <= before.children && mounts <= before.mounts;
  };
  for (let round = 0; round < 400 && !isClean(); round++) await Bun.sleep(5);
  expect({ before, after: traces(), isClean: isClean() }).toMatchObject({ isClean: true });
}

describe("hooks", () => {
  test("see the box in the making, and its command waits for them and for start", async () => {
    const out = sharedDirectory(workshop);
    const file = join(out, "ran");
    const seen: State[] = [];
    const mounts = [
      { kind: "bind", source: out, target: "/out", readonly: false, createSource: false, recursive: true },
    ] as const;
    const settings = hooked(
      async (point, given, state) => {
        expect(point).toBe("createRuntime");
        expect(given).toBe(hook);
        expect(namespaceOf(state.pid ?? 0, "net")).not.toBe(namespaceOf("self", "net"));
        seen.push(state);
      },
      { options: { mounts, labels: { a: "b" } } },
    );
    const container = await create(boxInput(workshop, ["/bin/touch", "/out/ran"], settings));
    expect(seen).toEqual([
      expect.objectContaining({
        id: "box",
        status: "creating",
        pid: container.pid,
        annotations: expect.objectContaining({ a: "b" }),
      }),
    ]);
    expect(readdirSync(out)).toEqual([]);
    container.start();
    expect(await container.launched.wait()).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("");
  });

  test("prestart hooks come first", async () => {
    const order: string[] = [];
    const config = withHooks({ createRuntime: [{ path: "/b" }], prestart: [{ path: "/a" }] });
    const runHook: BoxSettings["runHook"] = async (_, { path }) => void order.push(path);
    const container = await create(boxInput(workshop, ["/bin/true"], { config, runHook }));
    container.start();
    await container.launched.wait().catch(() => {});
    expect(order).toEqual(["/a", "/b"]);
  });

  test.each([false, true])("that fail end the box, terminal: %p", async (tty) => {
    let pid = 0;
    const settings = hooked(
      async (_, __, state) => {
        pid = state.pid ?? 0;
        throw new DevboxError("HOOK_FAILED", { step: "the hook" });
      },
      { options: { tty } },
    );
    await leavesNothing(async () => {
      expect(await failure(boxInput(workshop, ["/bin/sleep", "1000"], settings))).toMatchObject({
        code: "HOOK_FAILED",
      });
      await gone([pid]);
    });
  });

  test("programs: their failure is told", async () => {
    const config = withHooks({ createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", "echo no tun >&2; exit 4"] }] });
    const error = await failure(boxInput(workshop, ["/bin/sleep", "1000"], { config }));
    expect(error).toMatchObject({ code: "HOOK_FAILED", because: "exit status 4: no tun" });
  });

  test("a box that has failed by itself is the reason, and not the hook that missed it", async () => {
    const hookFailed = new DevboxError("HOOK_FAILED", { step: "the hook" });
    const settings = hooked(async (_, __, { pid = 0 }) => {
      await gone([pid]);
      throw hookFailed;
    });
    const input = boxInput(workshop, ["/bin/ls"], { ...settings, options: { workdir: "/etc/passwd" } });
    const error = await failure(input);
    expect(error).toMatchObject({ code: "LAUNCH_FAILED", step: "enter the working directory /etc/passwd" });
    expect(error).toHaveProperty("alsoFailed", []);
  });

  test("a box that has failed while they ran is told by its end, and start is no error", async () => {
    const settings = hooked((_, __, { pid = 0 }) => gone([pid]));
    const input = boxInput(workshop, ["/bin/ls"], { ...settings, options: { workdir: "/etc/passwd" } });
    expect(await failure(input)).toMatchObject({ code: "LAUNCH_FAILED" });
  });

  test("can be given up", async () => {
    const controller = new AbortController();
    const reason = new DevboxError("INTERRUPTED", { step: "interrupted" });
    let pid = 0;
    const settings = hooked(
      async (_, __, state) => {
        pid = state.pid ?? 0;
        controller.abort(reason);
        await new Promise(() => {});
      },
      { signal: controller.signal },
    );
    expect(await failure(boxInput(workshop, ["/bin/sleep", "1000"], settings))).toBe(reason);
    await gone([pid]);
  });
});

describe("a command that is not there", () => {
  test.each([
    ["/bin/nothing", "COMMAND_NOT_FOUND"],
    ["nothing", "COMMAND_NOT_FOUND"],
    ["/etc", "COMMAND_NOT_EXECUTABLE"],
    ["/etc/passwd", "COMMAND_NOT_EXECUTABLE"],
    ["/garbage", "COMMAND_NOT_EXECUTABLE"],
    ["/no-interpreter", "COMMAND_NOT_FOUND"],
  ])("%p: %s", async (command, code) => {
    writeFileSync(join(workshop.root, "garbage"), "\x7fnothing", { mode: 0o755 });
    writeFileSync(join(workshop.root, "no-interpreter"), "#!/no/sh\n", { mode: 0o755 });
    for (const init of [false, true])
      expect(await failure(boxInput(workshop, [command], { options: { init } }))).toMatchObject({ code });
  });
});

test.each([false, true])("boxes that run to their end leave nothing, terminal: %p", async (tty) => {
  await leavesNothing(async () => {
    const container = await create(boxInput(workshop, ["/bin/sh", "-c", "exit 3"], { options: { tty } }));
    container.start();
    expect(await container.launched.wait()).toBe(3);
    if (container.terminal !== undefined) closeSync(container.terminal);
  });
});

test("twenty at once, each with its own status", async () => {
  const numbers = Array.from({ length: 20 }, (_, i) => i);
  const statuses = numbers.map(async (i) => {
    const container = await create(boxInput(workshop, ["/bin/sh", "-c", `exit ${i}`]));
    container.start();
    return await container.launched.wait();
  });
  expect(await Promise.all(statuses)).toEqual(numbers);
});
