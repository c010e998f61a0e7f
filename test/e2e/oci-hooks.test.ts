/** Hooks of devbox oci: order, namespaces, what they read, and what becomes of a container whose hook fails. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type OciRuntime, openOciRuntime } from "../helpers/oci-runtime.ts";
import { namespaceOf } from "../helpers/processes.ts";

let oci: OciRuntime;
beforeAll(async () => {
  oci = await openOciRuntime();
});
afterAll(async () => {
  await oci[Symbol.asyncDispose]();
});

const points = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;
type Point = (typeof points)[number];

/** A directory that is at /out in the container, and at the same path for hooks of the outside. */
function shareOutput(config: Config, directory: string): string {
  const out = join(directory, "out");
  mkdirSync(out, { mode: 0o777 });
  config.mounts.push({ destination: "/out", source: "out", type: "bind", options: ["rbind", "rw"] });
  return out;
}

/** A hook of a point: the inside has busybox's shell only, and only startContainer sees the container's root. */
function shell(point: Point, script: string): Config {
  const args = ["sh", "-c", script];
  return { path: "/bin/sh", args, env: ["PATH=/bin:/usr/bin", `POINT=${point}`] };
}

describe("hooks that succeed", () => {
  let events: readonly { point: Point; mount: string; pid: string; env: string; cwd: string; state: Config }[];
  let id: string;
  let bundle: string;
  let initPid: number;
  let nsOfInit: string;

  beforeAll(async () => {
    id = oci.id();
    let out = "";
    bundle = await oci.bundle(["sleep", "1000"], (config, directory) => {
      out = shareOutput(config, directory);
      config.annotations = { "org.test": "ä" };
      config.hooks = Object.fromEntries(
        points.map((point) => {
          const to = point === "startContainer" ? "/out" : out;
          const lines = [
            `echo "point:$POINT"`,
            `echo "mount:$(readlink /proc/self/ns/mnt)"`,
            `echo "env:$(env | grep -c HOME=)"`,
            `echo "root:$(ls /out 2>/dev/null | head -n 1)"`,
            `printf "state:"; cat; echo`,
          ];
          return [point, [shell(point, `{ ${lines.join("; ")}; } >> ${to}/log`)]];
        }),
      );
    });
    await oci.ok(["create", "--bundle", bundle, id]);
    initPid = (await oci.state(id)).pid;
    nsOfInit = namespaceOf(initPid, "mnt");
    await oci.ok(["start", id]);
    await oci.ok(["kill", id, "KILL"]);
    await oci.reaches(id, "stopped");
    await oci.ok(["delete", id]);
    events = readFileSync(join(out, "log"), "utf8")
      .split(/^point:/m)
      .slice(1)
      .map((text) => {
        const field = (name: string): string => new RegExp(`^${name}:(.*)$`, "m").exec(text)?.[1] ?? "";
        const point = text.split("\n")[0] as Point;
        return {
          point,
          mount: field("mount"),
          pid: "",
          env: field("env"),
          cwd: field("root"),
          state: JSON.parse(field("state")),
        };
      });
  });

  test("run once each, in the order of the specification", () => {
    expect(events.map(({ point }) => point)).toEqual([...points]);
  });

  test("run in the namespaces of the runtime, or of the container", () => {
    const ours = namespaceOf("self", "mnt");
    expect(Object.fromEntries(events.map(({ point, mount }) => [point, mount]))).toEqual({
      prestart: ours,
      createRuntime: ours,
      createContainer: nsOfInit,
      startContainer: nsOfInit,
      poststart: ours,
      poststop: ours,
    });
  });

  test("only startContainer sees the root of the container", () => {
    expect(events.filter(({ cwd }) => cwd !== "").map(({ point }) => point)).toEqual(["startContainer"]);
  });

  test("have their own environment and nothing of ours", () => {
    expect(new Set(events.map(({ env }) => env))).toEqual(new Set(["0"]));
  });

  test.each<[Point, string]>([
    ["prestart", "created"],
    ["createRuntime", "creating"],
    ["createContainer", "creating"],
    ["startContainer", "created"],
    ["poststart", "running"],
    ["poststop", "stopped"],
  ])("%s reads a state that is %s", (point, status) => {
    const state = events.find((event) => event.point === point)?.state;
    expect(state).toMatchObject({ id, bundle, status, annotations: { "org.test": "ä" } });
    if (status === "stopped") expect(state.pid).toBeUndefined();
    else expect(state.pid).toBe(point === "createContainer" || point === "startContainer" ? 1 : initPid);
  });
});

describe("hooks that fail", () => {
  /** A bundle whose hook of one point fails, after one that succeeds; poststop leaves a sign. */
  async function failing(point: Point): Promise<{ id: string; bundle: string; out: string }> {
    let out = "";
    const bundle = await oci.bundle(["sh", "-c", "touch /out/ran; sleep 1000"], (config, directory) => {
      out = shareOutput(config, directory);
      const to = point === "startContainer" ? "/out" : out;
      config.hooks = {
        poststop: [shell("poststop", `echo poststop >> ${out}/log`)],
      };
      config.hooks[point] = [
        shell(point, `echo first >> ${to}/log`),
        shell(point, "echo the reason >&2; exit 3"),
        shell(point, `echo third >> ${to}/log`),
        ...(config.hooks[point] ?? []),
      ];
    });
    return { id: oci.id(), bundle, out };
  }

  test.each(["prestart", "createRuntime", "createContainer"] as const)(
    "%s: create fails, nothing is left",
    async (point) => {
      const { id, bundle, out } = await failing(point);
      const { exitCode, stderr } = await oci.run(["create", "--bundle", bundle, id]);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(new RegExp(`error running ${point} hook #1: /bin/sh: exit status 3`));
      if (point !== "createContainer") expect(stderr).toContain("the reason");
      expect(readFileSync(join(out, "log"), "utf8")).toBe("first\npoststop\n");
      expect((await oci.run(["state", id])).stderr).toMatch(/does not exist/);
      expect(existsSync(join(out, "ran"))).toBe(false);
    },
  );

  test("startContainer: start fails, the command does not run, nothing is left", async () => {
    const { id, bundle, out } = await failing("startContainer");
    await oci.ok(["create", "--bundle", bundle, id]);
    const { exitCode, stderr } = await oci.run(["start", id]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error running startContainer hook #1: \/bin\/sh: exit status 3/);
    expect(readFileSync(join(out, "log"), "utf8")).toBe("first\npoststop\n");
    expect(existsSync(join(out, "ran"))).toBe(false);
    expect((await oci.run(["state", id])).stderr).toMatch(/does not exist/);
  });

  test("poststart: start fails, the container is stopped and destroyed", async () => {
    const { id, bundle, out } = await failing("poststart");
    await oci.ok(["create", "--bundle", bundle, id]);
    const { exitCode, stderr } = await oci.run(["start", id]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error running poststart hook #1: \/bin\/sh: exit status 3: the reason/);
    expect(readFileSync(join(out, "log"), "utf8")).toBe("first\npoststop\n");
    expect((await oci.run(["state", id])).stderr).toMatch(/does not exist/);
  });

  test("poststop: delete warns, runs the others, and succeeds", async () => {
    const { id, bundle, out } = await failing("poststop");
    await oci.ok(["create", "--bundle", bundle, id]);
    const { exitCode, stderr } = await oci.run(["delete", "--force", id]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/^devbox-oci: warning: poststop hook/),
    });
    expect(readFileSync(join(out, "log"), "utf8")).toBe("first\nthird\npoststop\n");
  });

  test("one that takes longer than its timeout", async () => {
    const [id, bundle] = [
      oci.id(),
      await oci.bundle(["true"], (config) => {
        config.hooks = { createRuntime: [{ path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1 }] };
      }),
    ];
    const { exitCode, stderr } = await oci.run(["create", "--bundle", bundle, id]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/timeout of 1 s/);
  });

  test("one that is not there", async () => {
    const [id, bundle] = [
      oci.id(),
      await oci.bundle(["true"], (config) => (config.hooks = { createRuntime: [{ path: "/no/such/hook" }] })),
    ];
    const { exitCode, stderr } = await oci.run(["create", "--bundle", bundle, id]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error running createRuntime hook #0: \/no\/such\/hook: no such file or directory/);
  });
});

test("a hook may ask for the state of its container", async () => {
  const id = oci.id();
  let out = "";
  const bundle = await oci.bundle(["true"], (config, directory) => {
    out = shareOutput(config, directory);
    const command = `${process.env["DEVBOX_TEST_BINARY"]} oci --root ${oci.root} state ${id} > ${out}/state`;
    config.hooks = { createRuntime: [shell("createRuntime", command)] };
  });
  await oci.ok(["create", "--bundle", bundle, id]);
  expect(JSON.parse(readFileSync(join(out, "state"), "utf8"))).toMatchObject({ id, status: "creating" });
});
