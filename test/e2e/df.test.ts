/** devbox df, history, image tree and image inspect: what there is, and what it takes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
const image = imageName("busybox");
beforeAll(async () => {
  for (const name of ["busybox", "forty-layers"]) await home.ok(["pull", "-q", imageName(name)]);
  const script =
    "busybox mkdir -m 700 /closed; busybox dd if=/dev/zero of=/closed/file bs=1k count=100; busybox chown -R 5:5 /closed";
  await home.ok(["run", "--name", "writer", "--network=none", "-v", "data:/data", image, "sh", "-c", script]);
});
afterAll(() => home[Symbol.asyncDispose]());

test("a line a kind", async () => {
  const lines = (await home.ok(["df"])).split("\n").map((line) => line.split(/ {2,}/).slice(0, 3));
  expect(lines.slice(0, 5)).toEqual([
    ["TYPE", "TOTAL", "ACTIVE"],
    ["Images", "2", "1"],
    ["Boxes", "1", "0"],
    ["Local Volumes", "1", "1"],
    ["Downloads", "0", "0"],
  ]);
});

test("what a box has written is measured where only its user may look", async () => {
  const { boxes, images } = JSON.parse(await home.ok(["df", "--json"]));
  const upper = join(home.store, "boxes", boxes.list[0].record.id, "upper");
  const measured = await $`${[...inUserNamespace(), "du", "-s", "--block-size=1", upper]}`.text();
  expect(boxes.sizeBytes).toBe(Number.parseInt(measured, 10));
  expect(boxes.sizeBytes).toBeGreaterThan(100_000);
  const used = images.list.find(({ names }: { names: string[] }) => names.includes(image));
  expect(used).toMatchObject({ boxes: 1, sharedBytes: 0 });
});

test("-v: each one", async () => {
  const text = steady(await home.ok(["df", "-v"]), home);
  expect(text).toContain("Images space usage:\n\nIMAGE ");
  expect(text).toMatch(/^REGISTRY\/busybox:latest +ID12 .* 1$/m);
  expect(text).toMatch(/^ID12 .* 1 +SIZE .* Exited \(0\) .*writer$/m);
  expect(text).toMatch(/^data +1 +SIZE$/m);
});

test("docker's formats", async () => {
  expect(await home.ok(["df", "--format", "{{.Type}}: {{.TotalCount}}"])).toStartWith("Images: 2\nBoxes: 1\n");
  const [first = ""] = (await home.ok(["df", "--format", "json"])).split("\n");
  expect(JSON.parse(first)).toMatchObject({ Type: "Images", TotalCount: 2, Active: 1 });
});

test("history", async () => {
  const lines = (await home.ok(["history", imageName("forty-layers")])).trim().split("\n");
  expect(lines).toHaveLength(41);
  expect(lines[0]).toStartWith("IMAGE ");
  expect(await home.ok(["history", "-q", imageName("forty-layers")])).toMatch(/^[0-9a-f]{12}\n(?:<missing>\n){39}$/);
  expect(JSON.parse(await home.ok(["image", "history", "--json", image]))).toHaveLength(1);
});

test("image tree", async () => {
  const text = steady(await home.ok(["image", "tree"]), home);
  expect(text).toMatch(/^ID12 SIZE {2}REGISTRY\/busybox:latest$/m);
  expect(text).toMatch(/^ID12 SIZE \(40 layers\) {2}REGISTRY\/forty-layers:latest$/m);
  expect((await home.ok(["image", "tree", imageName("forty-layers")])).trim().split("\n")).toHaveLength(40);
});

test("image ls --digests and image inspect agree with what the registry says", async () => {
  const digest = (await home.ok(["pull", "-q", image])).trim();
  expect(await home.ok(["image", "ls", "--digests", image.replace(/:latest$/, "")])).toContain(digest);
  expect(await home.ok(["image", "inspect", "-f", "{{.Digest}} {{len .RootFS.Layers}}", image])).toBe(`${digest} 1\n`);
});
