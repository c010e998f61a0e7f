/** Images that come from files: oci:, oci-archive:, docker-archive:, dir:. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { inUserNamespace, openHome } from "../helpers/devbox.ts";
import { layouts } from "../helpers/given.ts";

const home = openHome();
const at = (name: string): string => join(home.directory, name);
const layout = (): string => join(layouts(), "busybox");

beforeAll(async () => {
  const source = `oci:${layout()}:latest`;
  await $`skopeo copy --quiet --insecure-policy ${source} oci-archive:${at("oci.tar")}:latest`.quiet();
  await $`skopeo copy --quiet --insecure-policy ${source} docker-archive:${at("docker.tar")}:busybox:latest`.quiet();
  await $`${[...inUserNamespace(), "umoci", "unpack", "--image", `${layout()}:latest`, at("bundle")]}`.quiet();
});
afterAll(() => home[Symbol.asyncDispose]());

const references = (): Readonly<Record<string, string>> => ({
  oci: `oci:${layout()}`,
  "oci with a name": `oci:${layout()}:latest`,
  "oci-archive": `oci-archive:${at("oci.tar")}`,
  "docker-archive": `docker-archive:${at("docker.tar")}`,
  dir: `dir:${at("bundle/rootfs")}`,
});

for (const kind of ["oci", "oci with a name", "oci-archive", "docker-archive", "dir"]) {
  test(`run from ${kind}`, async () => {
    const reference = references()[kind] ?? "";
    expect(
      await home.ok(["run", "--network=none", reference, "sh", "-c", "head -1 /etc/os-release; stat -c %u /home/dev"]),
    ).toBe("ID=busybox\n1000\n");
  });
}

test("a directory is used as it is: what the box writes stays there", async () => {
  await home.ok(["run", "--network=none", `dir:${at("bundle/rootfs")}`, "sh", "-c", "echo x > /etc/new"]);
  expect(await Bun.file(at("bundle/rootfs/etc/new")).text()).toBe("x\n");
});

test("a reference in upper case, a file that is not there", async () => {
  for (const reference of [
    "127.0.0.1:1/Upper",
    `oci:${at("nowhere")}`,
    `oci-archive:${at("nowhere.tar")}`,
    `dir:${at("nowhere")}`,
  ]) {
    const { exitCode, stderr } = await home.run(["run", "--network=none", reference, "true"]);
    expect(stderr).toMatch(/^error: /);
    expect(exitCode).toBe(125);
  }
});
