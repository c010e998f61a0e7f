/** devbox ps, port, rename, top, stats, inspect: looking at boxes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import type { Running } from "../helpers/devbox.ts";
import { sleepingBox } from "../helpers/sleeping-box.ts";

const box = boxHome();
const { home, image } = box;
let running: Running;

beforeAll(async () => {
  running = await sleepingBox(box, "web", ["--label", "tier=web", "-v", "data:/data:ro", "--env", "A=1"]);
  await home.run(["run", "--name", "ended", "--network", "none", image, "sh", "-c", "exit 3"]);
});
afterAll(async () => {
  running.kill("SIGKILL");
  await running.result;
});

describe("ps", () => {
  test("those that run; with -a all, the newest first", async () => {
    expect(await home.ok(["ps", "--format", "{{.Names}}"])).toBe("web\n");
    expect(await home.ok(["ps", "-a", "--format", "{{.Names}} {{.State}}"])).toBe("ended exited\nweb running\n");
    expect(await home.ok(["ps", "-l", "--format", "{{.Names}}"])).toBe("ended\n");
    expect(await home.ok(["ps", "-n", "2", "--format", "{{.Names}}"])).toBe("ended\nweb\n");
  });

  test("the table", async () => {
    const [heading = "", ended = "", web = ""] = (await home.ok(["ps", "-a"])).split("\n");
    expect(heading.split(/ {2,}/)).toEqual(["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    expect(ended).toMatch(
      /^[0-9a-f]{12} {3}127\S+busybox:latest {3}"sh -c 'exit 3'|"sh -c exit 3" .* Exited \(3\) .* ago +ended$/,
    );
    expect(web).toMatch(/^[0-9a-f]{12} .* Up (?:Less than a second|\d+ seconds?) +web$/);
  });

  test("filters", async () => {
    const names = async (...filters: string[]): Promise<string> =>
      home.ok(["ps", "--format", "{{.Names}}", ...filters.flatMap((each) => ["--filter", each])]);
    expect(await names("status=exited")).toBe("ended\n");
    expect(await names("exited=3")).toBe("ended\n");
    expect(await names("label=tier=web")).toBe("web\n");
    expect(await names("volume=data")).toBe("web\n");
    expect(await names("network=none", "name=^web$")).toBe("web\n");
    expect(await names(`ancestor=${image}`)).toBe("web\n");
    const id = (await home.ok(["images", "-q"])).trim();
    expect(await names(`ancestor=${id}`)).toBe("web\n");
    expect(await names("ancestor=other")).toBe("");
  });

  test("-q, --no-trunc, json, sizes", async () => {
    const ids = (await home.ok(["ps", "-aq"])).trim().split("\n");
    expect(ids.map((id) => id.length)).toEqual([12, 12]);
    expect((await home.ok(["ps", "-q", "--no-trunc"])).trim()).toHaveLength(64);
    const row = JSON.parse(await home.ok(["ps", "--format", "json"]));
    expect(row).toMatchObject({
      Names: "web",
      Image: image,
      State: "running",
      Mounts: "data",
      LocalVolumes: "1",
      Labels: "tier=web",
    });
    expect(await home.ok(["ps", "-s", "--format", "{{.Size}}"])).toMatch(/^\d.*B \(virtual \d.*MB\)\n$/);
  });

  test("a slip in a format names the column and the fields", async () => {
    const { exitCode, stderr } = await home.run(["ps", "--format", "{{.Nmae}}"]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain("column 3: there is no field .Nmae");
    expect(stderr).toContain(".Names");
  });
});

describe("inspect", () => {
  test("docker's shape", async () => {
    const [web] = JSON.parse(await home.ok(["inspect", "web"]));
    expect(web).toMatchObject({
      Name: "/web",
      State: { Status: "running", Running: true, Paused: false, ExitCode: 0 },
      HostConfig: { NetworkMode: "none", Binds: ["data:/data:ro"], AutoRemove: false },
      Config: { Image: image, Labels: { tier: "web" }, Tty: false },
      NetworkSettings: { Ports: {} },
    });
    expect(web.Config.Env).toContain("A=1");
    expect(web.Mounts).toMatchObject([{ Type: "volume", Name: "data", Destination: "/data", RW: false }]);
    expect(web.State.Pid).toBeGreaterThan(1);
    expect(Date.parse(web.State.StartedAt)).toBeGreaterThan(Date.parse(web.Created) - 1);
    expect([web.Path, ...web.Args].slice(0, 2)).toEqual(["sh", "-c"]);
  });

  test("how one has ended", async () => {
    expect(await home.ok(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", "ended"])).toBe(
      "exited 3 0\n",
    );
  });

  test("templates, several at once, and images", async () => {
    expect(await home.ok(["inspect", "-f", "{{.Name}}", "web", "ended"])).toBe("/web\n/ended\n");
    expect(await home.ok(["inspect", "-f", "{{json .Config.Labels}}", "web"])).toBe('{"tier":"web"}\n');
    expect(await home.ok(["inspect", "-f", '{{index .Config.Labels "tier"}}', "web"])).toBe("web\n");
    expect(await home.ok(["inspect", "--size", "-f", "{{.SizeRootFs}}", "web"])).toMatch(/^\d{7}\n$/);
    const [shown] = JSON.parse(await home.ok(["inspect", image]));
    expect(shown).toMatchObject({ Os: "linux", RepoTags: [image], RootFS: { Type: "layers" } });
    expect(shown.Id).toBe((await home.ok(["images", "-q", "--no-trunc"])).trim());
  });

  test("health that nobody asked for is nothing, to templates and in JSON", async () => {
    const format = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}";
    expect(await home.ok(["inspect", "-f", format, "web"])).toBe("none\n");
    const [web] = JSON.parse(await home.ok(["inspect", "web"]));
    expect(Object.keys(web.State)).not.toContain("Health");
    expect((await home.run(["inspect", "-f", "{{.State.Health.Status}}", "web"])).exitCode).toBe(125);
  });

  test("what is not there", async () => {
    const { exitCode, stderr } = await home.run(["inspect", "nothing-here"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("no box, image or volume");
    expect((await home.run(["inspect", "--type", "image", "web"])).exitCode).toBe(1);
  });
});

test("boxes in the background: made, running, healthy, paused, ended", async () => {
  const status = (name: string) =>
    home.ok(["ps", "-a", "--filter", `name=^${name}$`, "--format", "{{.Status}}|{{.State}}"]);
  await home.ok(["create", "--name", "made", "--network", "none", image, "true"]);
  expect(await status("made")).toBe("Created|created\n");
  const health = ["--health-cmd", "true", "--health-interval", "100ms"];
  await home.ok(["run", "-d", "--name", "away", "--network", "none", ...health, image, "sleep", "1000"]);
  while (!(await status("away")).includes("(healthy)")) await Bun.sleep(20);
  expect(await status("away")).toMatch(/^Up .* \(healthy\)\|running\n$/);
  expect(await home.ok(["inspect", "-f", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "away"])).toBe(
    "healthy 0\n",
  );
  await home.ok(["pause", "away"]);
  expect(await status("away")).toMatch(/^Up .* \(Paused\)\|paused\n$/);
  expect(await home.ok(["inspect", "-f", "{{.State.Paused}} {{.State.Running}}", "away"])).toBe("true true\n");
  await home.ok(["unpause", "away"]);
  await home.ok(["stop", "-t", "0", "away"]);
  expect(await status("away")).toMatch(/^Exited \(137\) .* ago\|exited\n$/);
  await home.ok(["rm", "made", "away"]);
});

test("top: docker's columns, or those of ps(1)", async () => {
  const [heading = "", ...rows] = (await home.ok(["top", "web"])).trimEnd().split("\n");
  expect(heading.split(/ +/)).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
  expect(rows.join("\n")).toMatch(/^root .* sleep 1000$/m);
  const own = await home.ok(["top", "web", "-o", "pid,args"]);
  expect(own).toMatch(/^PID +COMMAND\n/);
  expect(own).toContain("sleep 1000");
  expect((await home.run(["top", "ended"])).stderr).toContain("it is exited, not running");
  expect((await home.run(["top", "web", "-o", "args"])).stderr).toContain("PID must be among");
});

test("ports that are published, wherever one looks", async () => {
  await using served = await sleepingBox(box, "served", ["--network", "slirp4netns", "-p", "127.0.0.1:0:80"]);
  const [, port = ""] = (await home.ok(["port", "served"])).match(/^80\/tcp -> 127\.0\.0\.1:(\d+)\n$/) ?? [];
  expect(Number(port)).toBeGreaterThan(0);
  expect(await home.ok(["port", "served", "80"])).toBe(`127.0.0.1:${port}\n`);
  const idiom = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}} {{.NetworkSettings.IPAddress}}';
  expect(await home.ok(["inspect", "-f", idiom, "served"])).toBe(`${port} 10.0.2.100\n`);
  expect(await home.ok(["ps", "--format", "{{.Ports}}", "--filter", "publish=80"])).toBe(`127.0.0.1:${port}->80/tcp\n`);
  expect((await home.run(["port", "served", "81"])).stderr).toContain("it is not published");
  served.kill("SIGKILL");
});

test("rename: under the new name at once, the old one is free", async () => {
  await home.ok(["run", "--name", "before", "--network", "none", image, "true"]);
  expect(await home.ok(["rename", "before", "after"])).toBe("");
  expect(await home.ok(["inspect", "-f", "{{.Name}}", "after"])).toBe("/after\n");
  expect((await home.run(["inspect", "before"])).exitCode).toBe(1);
  expect((await home.run(["rename", "after", "web"])).stderr).toContain("another box has this name");
  expect((await home.run(["rename", "after", "/no/name"])).stderr).toContain("a name has two or more letters");
  await home.ok(["rm", "after"]);
});

test("stats: a line for each that runs", async () => {
  const [heading = "", ...rows] = (await home.ok(["stats", "--no-stream"])).trimEnd().split("\n");
  expect(heading).toMatch(/^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatch(/^[0-9a-f]{12} +web +\d+\.\d\d% +[\d.]+\w+ \/ [\d.]+GiB +\d+\.\d\d% +0B \/ 0B +.* +2$/);
  const idle = JSON.parse(await home.ok(["stats", "--no-stream", "--format", "json", "web", "ended"].slice(0, 5)));
  expect(idle).toMatchObject({ Name: "web", Container: "web", PIDs: "2" });
  expect(await home.ok(["stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}}", "ended"])).toBe(
    "ended -- -- / --\n",
  );
});

test("stats: a busy box is seen as busy", async () => {
  await using busy = await sleepingBox(box, "busy", [], "(while :; do :; done) & :");
  const share = Number.parseFloat(await home.ok(["stats", "--no-stream", "--format", "{{.CPUPerc}}", "busy"]));
  expect(share).toBeGreaterThan(5);
  busy.kill("SIGKILL");
});
