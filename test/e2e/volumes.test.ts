/** Volumes with names: made and filled at first use, shared, kept from removal while boxes mount them. */
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { imageName } from "../helpers/given.ts";
import { sleepingBox } from "../helpers/sleeping-box.ts";

const box = boxHome();
const { home, out, sh, image } = box;
const data = (name: string): string => join(home.store, "volumes", name, "_data");

describe("at first use", () => {
  test("it gets what the image has there, with owners and modes, and keeps what is written", async () => {
    expect(await out("stat -c '%u:%g %a' /data/from-image; echo new > /data/new", ["-v", "first:/data"])).toMatch(
      /^1000:1000 \d+$/,
    );
    expect(readdirSync(data("first")).sort()).toEqual(["from-image", "new"]);
    expect(await out("cat /data/new; rm /data/from-image", ["-v", "first:/data"])).toBe("new");
    expect(await out("ls /data", ["-v", "first:/data"])).toBe("new");
  });

  test("its own owner and mode are the image's", async () => {
    expect(await out("stat -c '%a %u' /tmp", ["-v", "sticky:/tmp"])).toBe("1777 0");
    expect(lstatSync(data("sticky")).mode & 0o7777).toBe(0o1777);
    expect(await out("stat -c '%a %u' /root", ["-v", "home:/root"])).toBe("700 0");
  });

  test("nocopy, and a place that the image lacks, leave it empty", async () => {
    expect(await out("ls /data", ["-v", "bare:/data:nocopy"])).toBe("");
    expect(await out("ls /data", ["--mount", "type=volume,src=bare2,dst=/data,volume-nocopy"])).toBe("");
    expect(await out("ls /new/place", ["-v", "bare3:/new/place"])).toBe("");
  });

  test("an image of many layers: what the upper ones have changed", async () => {
    const forty = imageName("forty-layers");
    // Its files are there before it is found to have no such command.
    const { exitCode } = await home.run(["run", "--network", "none", "-v", "layered:/shared", forty, "/none"]);
    expect(exitCode).toBe(127);
    expect(readFileSync(join(data("layered"), "replaced"), "utf8")).toBe("layer 39\n");
    const kept = readdirSync(data("layered")).filter((name) => name.startsWith("kept-"));
    expect(kept.sort()).toEqual(["kept-37", "kept-38", "kept-39"]);
  });

  test("ro refuses writing, and still fills", async () => {
    const { exitCode, stderr } = await sh("cat /data/from-image && echo x > /data/x", ["-v", "fixed:/data:ro"]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("Read-only file system");
    expect(readdirSync(data("fixed"))).toEqual(["from-image"]);
  });

  test("a copy that was cut off is made again", async () => {
    await out(":", ["-v", "half:/data"]);
    rmSync(join(data("half"), "from-image"));
    writeFileSync(join(data("half"), "other"), "");
    writeFileSync(join(home.store, "volumes/half/filling"), "");
    expect(await out("ls /data", ["-v", "half:/data"])).toBe("from-image\nother");
    expect(existsSync(join(home.store, "volumes/half/filling"))).toBe(false);
  });

  test("devbox is killed in the middle of a copy: the next box has all", async () => {
    const debian = imageName("debian");
    const listed = async (...flags: readonly string[]): Promise<string> =>
      home.ok(["run", "--network", "none", ...flags, debian, "sh", "-c", "find /usr | sort | sha256sum"]);
    const whole = await listed();
    const first = home.start(["run", "--network", "none", "-v", "large:/usr", debian, "true"], { stdin: "" });
    while (!existsSync(join(data("large"), "bin"))) await Bun.sleep(1);
    first.kill("SIGKILL");
    await first.result;
    expect(existsSync(join(home.store, "volumes/large/filling"))).toBe(true);
    expect(await listed("-v", "large:/usr")).toBe(whole);
    expect(existsSync(join(home.store, "volumes/large/filling"))).toBe(false);
  });

  test("many boxes at once: one copy, and all see it whole", async () => {
    const seen = await Promise.all(Array.from({ length: 6 }, () => out("cat /data/from-image", ["-v", "many:/data"])));
    expect(new Set(seen).size).toBe(1);
    expect(readdirSync(join(home.store, "volumes/many")).sort()).toEqual(["_data", "volume.json"]);
  });
});

test("two boxes share one", async () => {
  await using _running = await sleepingBox(box, "sharer", ["-v", "shared:/s"], "echo from-one > /s/f");
  expect(await out("cat /s/f; echo from-two >> /s/f", ["-v", "shared:/s"])).toBe("from-one");
  expect(readFileSync(join(data("shared"), "f"), "utf8")).toBe("from-one\nfrom-two\n");
});

test("one that a box mounts, running or not, cannot be removed", async () => {
  const running = await sleepingBox(box, "holder", ["-v", "held:/s"]);
  const refused = async (): Promise<string> => {
    const { exitCode, stderr } = await home.run(["volume", "rm", "held"]);
    expect(exitCode).toBe(1);
    return stderr;
  };
  expect(await refused()).toMatch(/volume is in use - \[[0-9a-f]{64}\]/);
  running.kill("SIGKILL");
  await running.result;
  expect(await refused()).toContain("devbox rm holder");
  expect(await home.ok(["volume", "ls", "-q", "--filter", "dangling=false"])).toContain("held\n");
  await home.ok(["rm", "holder"]);
  expect(await home.ok(["volume", "rm", "held"])).toBe("held\n");
  expect(existsSync(join(home.store, "volumes/held"))).toBe(false);
});

test("files of other users go with it", async () => {
  await out("mkdir -m 700 /v/d && echo x > /v/d/f && chown -R dev /v/d", ["-v", "owned:/v"]);
  await home.ok(["volume", "rm", "owned"]);
  expect(readdirSync(join(home.store, "boxes")).filter((name) => name.startsWith(".trash"))).toEqual([]);
});

describe("commands", () => {
  test("create, inspect, ls, rm", async () => {
    expect(await home.ok(["volume", "create", "--label", "a=b", "made"])).toBe("made\n");
    expect(await home.ok(["volume", "create", "made"])).toBe("made\n");
    const [shown] = JSON.parse(await home.ok(["volume", "inspect", "made"]));
    expect(shown).toMatchObject({
      Name: "made",
      Driver: "local",
      Scope: "local",
      Labels: { a: "b" },
      Mountpoint: data("made"),
    });
    expect(await home.ok(["inspect", "--type", "volume", "-f", "{{.Name}} {{.Labels.a}}", "made"])).toBe("made b\n");
    expect(await home.ok(["volume", "ls", "--filter", "name=^made$"])).toBe("DRIVER    VOLUME NAME\nlocal     made\n");
    expect(await home.ok(["volume", "ls", "--filter", "label=a=b", "--format", '{{.Name}}:{{.Label "a"}}'])).toBe(
      "made:b\n",
    );
    expect(await home.ok(["volume", "rm", "made"])).toBe("made\n");
    expect((await home.run(["volume", "rm", "made"])).stderr).toContain("there is no volume of this name");
    expect(await home.ok(["volume", "rm", "--force", "made"])).toBe("made\n");
  });

  test("prune takes what a devbox that was killed has begun, and nothing that may still be made", async () => {
    const [old, young] = [".new-00", ".new-01"].map((name) => join(home.store, "volumes", name)) as [string, string];
    for (const path of [old, young]) mkdirSync(path, { recursive: true });
    utimesSync(old, 0, 0);
    await home.ok(["volume", "prune"]);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
    rmdirSync(young);
  });

  test("prune takes those without a given name, and with --all every unused one", async () => {
    const name = (await home.ok(["volume", "create"])).trim();
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    await home.ok(["volume", "create", "kept"]);
    await home.ok(["volume", "create", "--label", "stay", "labelled"]);
    expect(await home.ok(["volume", "prune"])).toContain(`Deleted Volumes:\n${name}\n`);
    const pruned = await home.ok(["volume", "prune", "-a", "--filter", "label!=stay"]);
    expect(pruned).toContain("kept\n");
    expect(pruned).not.toContain("labelled\n");
    expect(await home.ok(["volume", "ls", "-q"])).toContain("labelled\n");
  });

  test.each([
    [["volume", "create", "-o", "type=tmpfs", "x1"], 125, "--opt type=tmpfs"],
    [["volume", "create", "../up"], 125, 'name the volume "../up"'],
    [["volume", "nope"], 125, 'unknown command "nope"'],
    [["volume", "inspect", "none"], 1, "there is no volume"],
    [["volume", "ls", "--filter", "x=y"], 125, "the keys are"],
  ])("%p is refused (%p)", async (line, status, reason) => {
    const { exitCode, stderr } = await home.run(line);
    expect(exitCode).toBe(status);
    expect(stderr).toContain(reason);
  });
});

test("--mount and -v: a name that is none is refused before anything is made", async () => {
  const { exitCode, stderr } = await home.run(["run", "--network", "none", "-v", "no/name:/x", image, "true"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("no name of a volume");
  expect(existsSync(join(home.store, "volumes/no"))).toBe(false);
});
