/** devbox events: what has happened, and what happens. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";

const { home, image, out } = boxHome();

const past = (...flags: readonly string[]) => home.ok(["events", "--since", "1h", "--until", "0s", ...flags]);

test("a box from its making to its end", async () => {
  await out("exit 0", ["--name", "told", "--label", "a=b"]);
  expect(await past("--filter", "box=told", "--format", "{{.Type}} {{.Action}}")).toBe(
    "container create\ncontainer start\ncontainer die\n",
  );
  const [line] = (await past("--filter", "event=die", "--format", "json")).split("\n");
  expect(JSON.parse(line ?? "")).toMatchObject({
    Type: "container",
    Action: "die",
    from: image,
    Actor: { Attributes: { name: "told", exitCode: "0" } },
  });
  expect(await past("--filter", "label=a=b", "--filter", "event=create")).toMatch(/ container create [0-9a-f]{64} \(/);
  // The fields of docker's structure, which are not those of its JSON.
  const named = "{{.Status}} {{.ID}} {{.From}} {{.Scope}} {{.Time}}";
  expect(await past("--filter", "event=die", "--format", named)).toMatch(
    /^die [0-9a-f]{64} \S+busybox\S* local \d{10}\n$/,
  );
  expect(Object.keys(JSON.parse(line ?? ""))).toHaveLength(9);
  expect(await past("--filter", "label=a=c")).toBe("");
  await home.ok(["rm", "told"]);
  expect(await past("--filter", "event=destroy", "--format", "{{.Actor.Attributes.name}}")).toBe("told\n");
});

test("volumes", async () => {
  await home.ok(["volume", "create", "vol"]);
  await home.ok(["volume", "rm", "vol"]);
  expect(await past("--filter", "type=volume", "--format", "{{.Action}} {{.Actor.ID}}")).toBe(
    "create vol\ndestroy vol\n",
  );
});

test("it follows, across a rotation of the log, until it is interrupted", async () => {
  await using follower = home.start(["events", "--format", "{{.Action}} {{.Actor.ID}}", "--filter", "type=volume"]);
  // Whether it listens already, only an event tells.
  for (let round = 0; ; round++) {
    await home.ok(["volume", "create", `probe${round}`]);
    const seen = await Promise.race([follower.output(/create probe/), Bun.sleep(50)]);
    if (seen !== undefined) break;
  }
  const events = `${home.store}/boxes/.events`;
  await Bun.$`mv ${events} ${events}.1`.quiet();
  await home.ok(["volume", "create", "after-rotation"]);
  await follower.output(/create after-rotation\n/);
  follower.kill("SIGINT");
  const { exitCode, stdout } = await follower.result;
  expect(exitCode).toBe(0);
  expect(stdout.match(/after-rotation/g)).toHaveLength(1);
});

test("slips", async () => {
  expect((await home.run(["events", "--since", "yesterday"])).stderr).toContain("it is no moment");
  expect((await home.run(["events", "--filter", "x=y"])).stderr).toContain("the keys are");
});
