/** devbox diff: what a box has changed, running or not, as docker prints it. */
import { beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";

const box = boxHome();
const { home } = box;

beforeAll(async () => {
  mkdirSync(join(home.directory, "shared"));
  const flags = ["--name", "web", "-v", `${join(home.directory, "shared")}:/made/for/this`, "-v", "data:/data"];
  await box.out(
    "mkdir /new && echo one > /new/file && echo more >> /etc/passwd && rm /bin/wget && echo x > /data/kept && " +
      "touch \"$(printf '/new/b\\377\\nz')\"",
    flags,
  );
});

const lines = ["C /bin", "D /bin/wget", "C /etc", "C /etc/passwd", "A /new", "A /new/b\\xff\\x0az", "A /new/file"];

test("a box that has ended: nothing of what was mounted in it", async () => {
  expect(await home.ok(["diff", "web"])).toBe(`${lines.join("\n")}\n`);
});

test("as JSON", async () => {
  const changes: unknown = JSON.parse(await home.ok(["diff", "--json", "web"]));
  expect(changes).toEqual(lines.map((line) => ({ path: line.slice(2), kind: line.slice(0, 1) })));
});

test("a box that runs, and one that was made only", async () => {
  const id = (
    await home.ok(["run", "-d", "--network", "none", box.image, "sh", "-c", "echo x > /seen; exec sleep 1000"])
  ).trim();
  // What it has written is there once its next command runs.
  await home.ok(["exec", id, "sh", "-c", "until [ -e /seen ]; do :; done"]);
  expect(await home.ok(["diff", id])).toBe("A /seen\n");
  await home.ok(["rm", "-f", id]);
  await home.ok(["create", "--name", "idle", box.image, "true"]);
  expect(await home.ok(["diff", "idle"])).toBe("");
});

test("a box on a directory, and none at all", async () => {
  mkdirSync(join(home.directory, "root"));
  await home.ok(["create", "--name", "plain", `dir:${join(home.directory, "root")}`, "true"]);
  const refused = await home.run(["diff", "plain"]);
  expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
  expect(refused.stderr).toContain("it runs on a directory of this machine");
  expect(await home.run(["diff", "nobody"])).toMatchObject({ exitCode: 1, stdout: "" });
});
