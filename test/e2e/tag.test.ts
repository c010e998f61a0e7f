/** devbox tag and untag: names come, move and go; the image stays. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());
const image = imageName("busybox");

beforeEach(async () => {
  await home.ok(["pull", "-q", image]);
});

const names = async () =>
  (await home.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"]))
    .trim()
    .split("\n")
    .map((name) => name.replace(/^127\.0\.0\.1:\d+/, "REGISTRY"))
    .sort();

test("names for an image, by name and by id; they run, and take turns", async () => {
  await home.ok(["tag", image, "app:1", "reg.example:5000/a/b"]);
  expect(await names()).toEqual(["REGISTRY/busybox:latest", "app:1", "reg.example:5000/a/b:latest"]);
  expect(await home.ok(["run", "--network", "none", "--pull", "never", "app:1", "echo", "hi"])).toBe("hi\n");
  const [id = ""] = (await home.ok(["images", "-q", "app:1"])).split("\n");
  await home.ok(["tag", id, "app:2"]);
  await home.ok(["pull", "-q", imageName("busybox-zstd")]);
  await home.ok(["tag", imageName("busybox-zstd"), "app:1"]);
  const [moved = ""] = (await home.ok(["images", "-q", "app:1"])).split("\n");
  expect(moved).not.toBe("");
  expect(await names()).toContain("app:2");
  await home.ok(["rmi", "--force", "app:1", "app:2", "reg.example:5000/a/b", imageName("busybox-zstd")]);
});

test("untag takes a name, or all of them; the image stays until prune", async () => {
  await home.ok(["tag", image, "app:1", "app:2"]);
  await home.ok(["untag", "app:1", "app:2"]);
  expect(await names()).toEqual(["REGISTRY/busybox:latest", "app:1"]);
  const [id = ""] = (await home.ok(["images", "-q", "app:1"])).split("\n");
  await home.ok(["untag", "app:1"]);
  expect(await names()).toEqual(["<none>:<none>"]);
  expect(await home.ok(["run", "--network", "none", id, "echo", "still"])).toBe("still\n");
  await home.ok(["tag", id, "back"]);
  expect(await names()).toEqual(["back:latest"]);
  await home.ok(["untag", "back"]);
  await home.ok(["prune"]);
  expect(await home.ok(["images", "-q"])).toBe("");
});

test("what cannot be, in words, and changes nothing", async () => {
  const said = async (...args: readonly string[]) => {
    const { exitCode, stderr } = await home.run(args);
    return `${exitCode} ${steady(stderr, home)}`;
  };
  await home.ok(["tag", image, "app:1"]);
  const before = await names();
  expect(await said("tag", "none", "x")).toMatchInlineSnapshot(`
    "1 error: find the image none
      because: it is not here
    hint: see: devbox images
    "
  `);
  expect(await said("tag", "app:1", "Bad")).toMatchInlineSnapshot(`
    "125 error: read image reference "Bad"
      because: the repository name "Bad" must be lower case
    hint: an image reference looks like NAME[:TAG][@DIGEST], for example debian:12
    "
  `);
  expect(await said("tag", "app:1", `x@sha256:${"a".repeat(64)}`)).toMatchInlineSnapshot(`
    "125 error: read the name "x@sha256:DIGEST"
      because: a digest cannot be given, it follows from the content
    hint: a name looks like NAME[:TAG], for example project/image:1.0
    "
  `);
  expect(await said("untag", "app:1", "app:1", "other:1")).toMatchInlineSnapshot(`
    "1 error: take the name docker.io/library/other:1 from app:1
      because: it is not one of its names
    hint: it has: REGISTRY/busybox:latest, docker.io/library/app:1
    "
  `);
  expect(await names()).toEqual(before);
});
