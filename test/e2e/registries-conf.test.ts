/** registries.conf: mirrors of real registries, one that pulls through, short names wherever an image is named. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { type Home, openHome } from "../helpers/devbox.ts";
import { layouts } from "../helpers/given.ts";
import { type RunningRegistry, startRegistry } from "../helpers/registry.ts";

const base = openHome();
let origin: RunningRegistry;
let mirror: RunningRegistry;
let secure: RunningRegistry;

beforeAll(async () => {
  origin = await startRegistry({ directory: join(base.directory, "origin") });
  mirror = await startRegistry({ directory: join(base.directory, "mirror"), pullsFrom: `http://${origin.address}` });
  secure = await startRegistry({ directory: join(base.directory, "secure"), tls: true });
  for (const { address } of [origin, secure]) {
    await $`skopeo copy --quiet --insecure-policy --dest-tls-verify=false oci:${join(layouts(), "busybox")}:latest docker://${address}/team/busybox:latest`.quiet();
  }
});
afterAll(async () => {
  for (const registry of [origin, mirror, secure]) await registry[Symbol.asyncDispose]();
  await base[Symbol.asyncDispose]();
});

/** The user's file, which takes the place of the machine's. */
function configure(home: Home, text: string): void {
  const path = join(home.directory, ".config/containers/registries.conf");
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

test("a mirror that pulls through has the image afterwards, and goes on without the origin", async () => {
  await using home = openHome();
  const table = (location: string) => `
    [[registry]]
    prefix = "registry.example.com"
    location = "${location}"
    [[registry.mirror]]
    location = "127.0.0.1:1" # nobody listens there
    [[registry.mirror]]
    location = "${mirror.address}"
  `;
  configure(home, table(origin.address));
  const name = "registry.example.com/team/busybox:latest";
  const { stderr } = await home.run(["run", "--network=none", name, "true"]);
  expect(stderr.match(/passed over/g)?.length).toBe(1);
  expect(await home.ok(["images"])).toContain("registry.example.com/team/busybox");
  await using other = openHome();
  configure(other, table("127.0.0.1:1"));
  await other.ok(["pull", "-q", name]);
});

test("certs.d of a mirror, by host and port; insecure for one that has none", async () => {
  const table = (mirrorLines: string) => `
    [[registry]]
    prefix = "registry.example.com"
    location = "127.0.0.1:1"
    [[registry.mirror]]
    location = "${secure.address}"
    ${mirrorLines}
  `;
  await using home = openHome();
  configure(home, table(""));
  const pull = ["pull", "-q", "registry.example.com/team/busybox"];
  expect(await home.run(pull)).toMatchObject({ exitCode: 125, stderr: expect.stringContaining(secure.address) });
  const certs = join(home.directory, ".config/containers/certs.d", secure.address);
  mkdirSync(certs, { recursive: true });
  await Bun.write(join(certs, "ca.crt"), Bun.file(secure.ca ?? ""));
  await home.ok(pull);
  await using other = openHome();
  configure(other, table("insecure = true"));
  await other.ok(pull);
});

test("a blocked registry: neither pulled from nor pushed to", async () => {
  await using home = openHome();
  await home.ok(["pull", "-q", `${origin.address}/team/busybox`]);
  configure(home, `[[registry]]\nlocation = "${origin.address}"\nblocked = true\n`);
  for (const args of [
    ["pull", `${origin.address}/team/busybox:other`],
    ["push", `${origin.address}/team/busybox`],
  ]) {
    const { exitCode, stderr } = await home.run(args);
    expect(exitCode).toBe(125);
    expect(stderr).toContain(`registries.conf blocks ${origin.address}`);
  }
  expect(await home.ok(["run", "--network=none", `${origin.address}/team/busybox`, "echo", "here"])).toBe("here\n");
});

test("an alias is what it stands for, in every command that names an image", async () => {
  await using home = openHome();
  configure(home, `[aliases]\n"box" = "${origin.address}/team/busybox"\n`);
  await home.ok(["pull", "-q", "box"]);
  expect(await home.ok(["run", "--pull=never", "--network=none", "box", "echo", "alias"])).toBe("alias\n");
  expect(JSON.parse(await home.ok(["inspect", "box:latest"]))[0].RepoTags).toEqual([
    `${origin.address}/team/busybox:latest`,
  ]);
  await home.ok(["tag", "box", "box:2"]);
  await home.ok(["push", "-q", "box:2"]);
  await $`skopeo inspect --tls-verify=false docker://${origin.address}/team/busybox:2`.quiet();
  expect(await home.ok(["rmi", "box:2"])).toContain(`${origin.address}/team/busybox:2`);
});

test("one search registry is taken, of several docker.io, else the choices are named", async () => {
  await using home = openHome();
  configure(home, `unqualified-search-registries = ["${origin.address}"]\n`);
  await home.ok(["pull", "-q", "team/busybox"]);
  configure(home, `unqualified-search-registries = ["${origin.address}", "quay.io"]\n`);
  const { exitCode, stderr } = await home.run(["pull", "team/busybox"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain(`${origin.address}/team/busybox:latest, quay.io/team/busybox:latest`);
  // What is here, or is an id, leaves no doubt.
  const id = (await home.ok(["images", "-q"])).trim();
  expect(await home.ok(["run", "--network=none", id, "echo", "id"])).toBe("id\n");
  expect(await home.ok(["rmi", "team/busybox"])).toContain(origin.address);
  const never = ["run", "--pull=never", "team/busybox"];
  configure(home, 'unqualified-search-registries = ["quay.io", "docker.io"]\n');
  expect((await home.run(never)).stderr).toContain("use image team/busybox:latest");
});

test("a mistake in the file is named with its line, and stops nothing that has its registry and is here", async () => {
  await using home = openHome();
  const name = `${origin.address}/team/busybox`;
  await home.ok(["pull", "-q", name]);
  configure(home, '# mine\n\n[[registry]]\nlocation = "a.example"\nblocked = maybe\n');
  const { exitCode, stderr } = await home.run(["pull", "busybox"]);
  expect(exitCode).toBe(125);
  expect(stderr).toMatch(/registries\.conf\n.*line 5: /);
  await home.ok(["run", "--network=none", name, "true"]);
});

test("podman understands the same file in the same way", async () => {
  await using home = openHome();
  configure(
    home,
    `[aliases]
    "box" = "sub.example.com/busybox"
    [[registry]]
    prefix = "*.example.com"
    location = "127.0.0.1:1"
    [[registry.mirror]]
    location = "127.0.0.1:1/digests"
    pull-from-mirror = "digest-only"
    [[registry.mirror]]
    location = "${origin.address}/team"
    insecure = true
    `,
  );
  await home.ok(["pull", "-q", "box"]);
  const podman = ["podman", "--root", join(home.directory, "podman"), "--runroot", join(home.directory, "podman-run")];
  const env = { ...home.env, CONTAINERS_REGISTRIES_CONF: join(home.directory, ".config/containers/registries.conf") };
  const id = (await $`${podman} pull -q box`.env(env).quiet().text()).trim();
  const names = await $`${podman} image inspect --format ${"{{.RepoTags}}"} ${id}`.env(env).quiet().text();
  const [ours] = JSON.parse(await home.ok(["inspect", "box"]));
  expect([ours.Id, names]).toEqual([`sha256:${id}`, `[${ours.RepoTags[0]}]\n`]);
});
