/** devbox prune and devbox image prune: filters, volumes, and that a whole store works after. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { openHome } from "../helpers/devbox.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
const image = imageName("busybox");
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await home.ok(["pull", "-q", image]);
  await home.ok(["tag", image, "second:1"]);
});

const names = async (): Promise<string> => await home.ok(["images", "--format", "{{.Repository}}"]);

test("until: what was made before", async () => {
  const created = (await home.ok(["inspect", "-f", "{{.Created}}", image])).trim();
  const after = new Date(Date.parse(created) + 1000).toISOString();
  await home.ok(["prune", "--all", "--filter", `until=${created}`]);
  expect((await names()).trim().split("\n")).toHaveLength(2);
  const removed = await home.ok(["image", "prune", "-a", "-f", "--filter", `until=${after}`]);
  expect(removed).toContain("removed: docker.io/library/second:1\n");
  expect(await names()).toBe("");
});

test("label!: all but those", async () => {
  await home.ok(["image", "prune", "--all", "--filter", "label=no-such"]);
  expect(await names()).not.toBe("");
  await home.ok(["image", "prune", "--all", "--filter", "label!=no-such"]);
  expect(await names()).toBe("");
});

test("without --all only what has no name", async () => {
  await home.ok(["prune", "--filter", "label!=no-such"]);
  expect((await names()).trim().split("\n")).toHaveLength(2);
});

test("an image that a kept box uses stays, and the box starts again", async () => {
  await home.ok(["run", "--name", "kept", "--network=none", image, "busybox", "echo", "again"]);
  await home.ok(["prune", "--all", "--force"]);
  expect(await home.ok(["start", "--attach", "kept"])).toBe("again\n");
  await home.ok(["rm", "kept"]);
});

test("--volumes: those without a name, and not in use", async () => {
  const made = (await home.ok(["volume", "create"])).trim();
  await home.ok(["volume", "create", "data"]);
  expect(await home.ok(["prune"])).not.toContain(made);
  expect(await home.ok(["prune", "--volumes"])).toContain(`removed: ${made}\n`);
  expect(await home.ok(["volume", "ls", "-q"])).toBe("data\n");
});

test.each(["until=soon", "colour=red", "until"])("--filter %s is refused", async (filter) => {
  const { exitCode, stderr } = await home.run(["prune", "--filter", filter]);
  expect([exitCode, stderr.startsWith("error: read --filter")]).toEqual([125, true]);
});
