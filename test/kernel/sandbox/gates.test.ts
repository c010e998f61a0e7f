/** The way of an init process through its gates, and the hooks that it runs there, on the real kernel. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Launched, launch } from "../../../src/launch/launch.ts";
import { openReports } from "../../../src/launch/reports.ts";
import type { Hooks, Namespace, NamespaceType, RuntimeConfig, State } from "../../../src/oci/runtime.ts";
import type { SandboxInput } from "../../../src/sandbox/input.ts";
import { namespaceFiles, namespaceTypes } from "../../../src/sandbox/namespace-flags.ts";
import { planBox } from "../../../src/sandbox/plan-create.ts";
import { planNamespaces } from "../../../src/sandbox/plan-namespaces.ts";
import { boxInput, host, openWorkshop, sharedDirectory, type Workshop } from "../../helpers/busybox-box.ts";
import { outputFile, pipe } from "../../helpers/launch-plans.ts";
import { openNeighbour } from "../../helpers/neighbour.ts";
import { namespaceOf } from "../../helpers/processes.ts";

const isRoot = host.uid === 0;
const state: State = { ociVersion: "1.2.0", id: "box", status: "creating", pid: 4711, bundle: "/bundle" };

let workshop: Workshop;
let out: string;
beforeAll(() => {
  workshop = openWorkshop();
  out = sharedDirectory(workshop);
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** A program of the host, or of the box's root; what it writes goes to $OUT, which is /out in the box. */
function program(name: string, script: string, inBox = false): string {
  const directory = inBox ? join(workshop.root, "bin") : workshop.path;
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return inBox ? `/bin/${name}` : path;
}

const written = (name: string): string => readFileSync(join(out, name), "utf8").trim();

interface Begun {
  readonly launched: Launched;
  readonly pid: number;
}

interface Settings {
  readonly hooks?: Hooks;
  readonly config?: (config: RuntimeConfig) => RuntimeConfig;
  readonly sandbox?: Partial<SandboxInput>;
  readonly fds?: Readonly<Record<string, number>>;
  readonly initOnly?: readonly string[];
  readonly cgroups?: readonly string[];
}

/** Without these names: they would be those of this machine in a box without a uts namespace. */
function nameless({ hostname: _, domainname: __, ...config }: RuntimeConfig): RuntimeConfig {
  return config;
}

/** Begins a box whose command is `script`. */
async function begin(
  script: string,
  { hooks = {}, config = (same) => same, sandbox = {}, fds = {}, initOnly = [], cgroups = [] }: Settings,
): Promise<Begun> {
  const bind = {
    kind: "bind",
    source: out,
    target: "/out",
    readonly: false,
    createSource: false,
    recursive: true,
  } as const;
  const given = boxInput(workshop, ["/bin/sh", "-c", script], { options: { mounts: [bind] }, config });
  const { namespaces } = given.sandbox.config.linux;
  const idMap = namespaces.some(({ type }) => type === "user") ? given.sandbox.idMap : undefined;
  const launched = launch(
    planNamespaces({ namespaces, idMap, facts: host, descriptors: Object.keys(fds), initOnly, cgroups }),
    {
      fds,
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  launched.proceed(
    planBox({
      ...given.sandbox,
      config: { ...given.sandbox.config, hooks },
      idMap,
      pipes: [],
      gates: {},
      containerState: state,
      ...sandbox,
    }),
  );
  const event = await launched.nextEvent();
  if (event?.event !== "started") throw new Error("it did not start");
  return { launched, pid: event.value };
}

async function finish({ launched }: Begun): Promise<number> {
  return await launched.wait();
}

const links = (types: readonly NamespaceType[]) =>
  types.map((type) => `readlink /proc/self/ns/${namespaceFiles[type]}`).join(";");

describe("createContainer hooks", () => {
  test("run in the namespaces of the box, with the root of the host, in order, before the command", async () => {
    const where = program(
      "where",
      `{ ${links(namespaceTypes)}; } >${out}/where; cat >${out}/state; test -e ${workshop.root} && echo host >${out}/root; env >${out}/env`,
    );
    const second = program("second", `echo "$1" >${out}/second; test -s ${out}/where`);
    const go = pipe();
    const hooks = {
      createContainer: [
        { path: where, env: ["A=b"] },
        { path: second, args: ["name", "argument"] },
      ],
    };
    const begun = await begin("test -s /out/second && echo ran >/out/command", {
      hooks,
      fds: { go: go.read },
      sandbox: { gates: { exec: "go" } },
    });
    const inits = namespaceTypes.map((type) => namespaceOf(begun.pid, namespaceFiles[type]));
    writeSync(go.write, "x");
    for (const fd of [go.read, go.write]) closeSync(fd);
    expect(await finish(begun)).toBe(0);
    expect(written("where").split("\n")).toEqual(inits);
    expect(JSON.parse(written("state"))).toEqual({ ...state, status: "creating", pid: 1 });
    expect(written("root")).toBe("host");
    expect(written("env")).toContain("A=b");
    expect(written("env")).not.toContain("PATH=/usr");
    expect(written("second")).toBe("argument");
    expect(written("command")).toBe("ran");
  });

  test("wait for their gate; its end without a byte gives the box up", async () => {
    const path = program("gated", `echo ran >${out}/gated`);
    for (const opens of [false, true]) {
      const gate = pipe();
      const begun = await begin("exit 0", {
        hooks: { createContainer: [{ path }] },
        fds: { built: gate.read },
        sandbox: { gates: { pivot: "built" } },
      });
      expect(existsSync(join(out, "gated"))).toBe(false);
      if (opens) writeSync(gate.write, "x");
      for (const fd of [gate.read, gate.write]) closeSync(fd);
      expect(await finish(begun)).toBe(opens ? 0 : 125);
      expect(existsSync(join(out, "gated"))).toBe(opens);
    }
  });

  test("that fail, or take too long, fail the box with their name", async () => {
    const failing = program("failing", "exit 3");
    const slow = program("slow", "sleep 1000");
    const end = async (hooks: Hooks) =>
      await begin("exit 0", { hooks })
        .then(finish)
        .catch((error: unknown) => error);
    expect(await end({ createContainer: [{ path: failing }] })).toMatchObject({
      step: `createContainer hook #0 ${failing}`,
      because: "exit status 3",
    });
    expect(await end({ createContainer: [{ path: slow, timeout: 1 }] })).toMatchObject({
      step: `createContainer hook #0 ${slow}`,
      because: expect.stringContaining("ETIMEDOUT"),
    });
    expect(await end({ startContainer: [{ path: "/nowhere" }] })).toMatchObject({
      step: "startContainer hook #0 /nowhere",
    });
  });
});

describe("startContainer hooks", () => {
  test("run in the root of the box, when the start was given, before the command and its user", async () => {
    const path = program(
      "inside",
      "cat >/out/started; id -u >/out/uid; test -e /out/first || echo early >/out/first",
      true,
    );
    const go = pipe();
    const begun = await begin("test -e /out/first || echo late >/out/first; cat /proc/self/status >/out/status", {
      hooks: { startContainer: [{ path, env: ["PATH=/bin"] }] },
      fds: { go: go.read },
      sandbox: { gates: { exec: "go" } },
    });
    expect(existsSync(join(out, "started"))).toBe(false);
    writeSync(go.write, "x");
    for (const fd of [go.read, go.write]) closeSync(fd);
    expect(await finish(begun)).toBe(0);
    expect(JSON.parse(written("started"))).toEqual({ ...state, status: "created", pid: 1 });
    expect(written("uid")).toBe("0");
    expect(written("first")).toBe("early");
  });

  test.if(isRoot)("get the pid as it is seen inside, also when that is not the first of its namespace", async () => {
    const path = program("pid", "cat >/out/pid", true);
    const begun = await begin("exit 0", {
      hooks: { startContainer: [{ path, env: ["PATH=/bin"] }] },
      config: (config) => ({
        ...config,
        linux: {
          ...config.linux,
          namespaces: config.linux.namespaces.filter(({ type }) => type !== "pid" && type !== "user"),
        },
      }),
    });
    expect(await finish(begun)).toBe(0);
    expect(JSON.parse(written("pid"))).toEqual({ ...state, status: "created", pid: begun.pid });
  });
});

describe("a start by somebody else", () => {
  test("the box says that it is ready; failures after that are told where the start listens, which ends with the command's execution", async () => {
    for (const fails of [false, true]) {
      const [go, executed] = [pipe(), pipe()];
      const path = program("late", fails ? "exit 9" : "exit 0", true);
      const begun = await begin("read line </out/fifo", {
        hooks: { startContainer: [{ path, env: ["PATH=/bin"] }] },
        fds: { go: go.read, executed: executed.write },
        initOnly: ["go", "executed"],
        sandbox: { gates: { exec: "go" }, executed: "executed" },
      });
      for (const fd of [go.read, executed.write]) closeSync(fd);
      rmSync(join(out, "fifo"), { force: true });
      Bun.spawnSync(["mkfifo", "-m", "666", join(out, "fifo")]);
      expect((await begun.launched.nextEvent())?.event).toBe("ready");
      writeSync(go.write, "x");
      closeSync(go.write);
      const reports = openReports(executed.read);
      const report = await reports.next();
      expect(report?.kind).toBe(fails ? "failed" : undefined);
      reports.close();
      if (fails) {
        expect(await finish(begun)).toBe(125); // and nothing of it to whoever launched
      } else {
        writeFileSync(join(out, "fifo"), "end\n");
        expect(await finish(begun)).toBe(0);
      }
    }
  });

  test("while the box waits for it, nothing in it can find the control groups of the host", async () => {
    const [go, executed, group] = [pipe(), pipe(), outputFile()];
    const begun = await begin("exit 0", {
      fds: { go: go.read, executed: executed.write, group: group.fd },
      initOnly: ["go", "executed"],
      cgroups: ["group"],
      sandbox: { gates: { exec: "go" }, executed: "executed" },
    });
    for (const fd of [go.read, executed.write, executed.read]) closeSync(fd);
    expect((await begun.launched.nextEvent())?.event).toBe("ready");
    expect(group.text()).toContain(String(begun.pid));
    const directory = `/proc/${begun.pid}/fd`;
    const open = readdirSync(directory).map((fd) => readlinkSync(join(directory, fd)));
    expect(open.filter((target) => target.startsWith("/memfd:output"))).toEqual([]);
    for (const fd of [go.write, group.fd]) closeSync(fd);
    expect(await finish(begun)).toBe(125);
  });

  test("a command that is not there is an error of the creation", async () => {
    const [go, executed] = [pipe(), pipe()];
    const begun = await begin("exit 0", {
      fds: { go: go.read, executed: executed.write },
      initOnly: ["executed"],
      config: (config) => ({ ...config, process: { ...config.process, args: ["/nowhere"] } }),
      sandbox: { gates: { exec: "go" }, executed: "executed" },
    });
    for (const fd of [go.read, executed.write, executed.read]) closeSync(fd);
    const error = await begun.launched.nextEvent().catch((each: unknown) => each);
    expect(error).toMatchObject({ step: "execute /nowhere" });
    closeSync(go.write);
    await begun.launched.wait().catch(() => {});
  });
});

describe.if(isRoot)("a mount namespace that was there before", () => {
  const mountsOf = (pid: number | "self"): string => readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  const seen = `${links(["mount"])}; ls -d /proc/self /out; ls /; pwd; wc -l </proc/self/mounts`;

  /** A box whose mount namespace is `mount` (undefined: the runtime's), while it runs and when it has ended. */
  async function look(mount: Namespace | undefined, whose: number | "self"): Promise<void> {
    const before = mountsOf(whose);
    const go = pipe();
    const begun = await begin(`{ ${seen}; } >/out/seen`, {
      fds: { go: go.read },
      config: (config) => ({
        ...nameless(config),
        root: { ...config.root, readonly: true },
        process: { ...config.process, cwd: "/tmp" },
        linux: {
          ...config.linux,
          namespaces: [
            ...config.linux.namespaces.filter(({ type }) => type === "pid" || type === "ipc"),
            ...(mount === undefined ? [] : [mount]),
          ],
        },
      }),
      sandbox: { gates: { exec: "go" } },
    });
    writeSync(go.write, "x");
    for (const fd of [go.read, go.write]) closeSync(fd);
    expect(await finish(begun)).toBe(0);
    const [namespace, ...rest] = written("seen").split("\n");
    expect(namespace).toBe(namespaceOf(whose, "mnt"));
    expect(rest.join(" ")).toMatch(/^\/out \/proc\/self .*\bbin\b.* \/tmp 0$/);
    expect(mountsOf(whose)).toBe(before);
  }

  test("the runtime's: the box is a directory in it, and nothing of it is mounted there", async () => {
    await look(undefined, "self");
  });

  test("one that is joined: nobody else's root is changed", async () => {
    await using neighbour = await openNeighbour(["mount"]);
    await look({ type: "mount", path: neighbour.path("mount") }, neighbour.pid);
  });
});

test("without pivot_root: the root is moved onto /", async () => {
  mkdirSync(join(workshop.root, "marked"), { recursive: true });
  const begun = await begin(
    "ls -d /marked >/out/moved; cut -d' ' -f5 /proc/self/mountinfo | head -1 >>/out/moved; ls -d /proc/self/root/../marked >>/out/moved",
    {
      sandbox: { noPivot: true },
    },
  );
  expect(await finish(begun)).toBe(0);
  expect(written("moved")).toBe("/marked\n/\n/proc/self/root/../marked");
});
