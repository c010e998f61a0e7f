/** devbox doctor: what it says of this machine is what boxes then find. */
import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { openHome } from "../helpers/devbox.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());

test("the table ends in a verdict, and every line that is not ok has a fix", async () => {
  const table = await home.ok(["doctor"]);
  expect(table).toMatch(/^ok +kernel /m);
  expect(table.trimEnd()).toEndWith("Boxes can run here.");
  const lines = table.split("\n");
  for (const [index, line] of lines.entries())
    if (/^(?:warn|fail)/.test(line)) expect(lines[index + 1]).toContain("fix:");
});

test("--json has the same findings", async () => {
  const { canRun, findings } = JSON.parse(await home.ok(["doctor", "--json"]));
  expect(canRun).toBe(true);
  expect(findings.map((each: { name: string }) => each.name)).toEqual(
    expect.arrayContaining(["kernel", "user namespaces", "newuidmap", "overlay", "slirp4netns", "store"]),
  );
});

test("--bundle writes an archive without secrets", async () => {
  const file = join(home.directory, "support.zip");
  const env = { SECRET_TOKEN: "hunter2-very-secret", HTTPS_PROXY: "http://user:hunter2-very-secret@127.0.0.1:1" };
  await home.ok(["doctor", "--bundle", file], { env });
  const entries = Object.entries(unzipSync(readFileSync(file)));
  expect(entries.length).toBeGreaterThan(1);
  for (const [, bytes] of entries) expect(Buffer.from(bytes).toString()).not.toContain("hunter2-very-secret");
});
