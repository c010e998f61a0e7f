/** What devbox says when something is wrong: whole messages, since they are what the user has. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import { steady } from "../helpers/filter.ts";
import { imageName } from "../helpers/given.ts";

const { home, image } = boxHome();

/** Its stderr, made steady, and the exit status in the first line. */
async function said(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await home.run(args);
  expect(stdout).toBe("");
  return `exit status ${exitCode}\n${steady(stderr, home)}`;
}

test("unknown words, with the nearest known one", async () => {
  expect(await said("run", "--nme", "x", image)).toMatchInlineSnapshot(`
    "exit status 125
    error: devbox run: unknown option --nme
    hint: did you mean --name? see: devbox run --help
    "
  `);
  expect(await said("iamges")).toMatchInlineSnapshot(`
    "exit status 125
    error: devbox: unknown command "iamges"
    hint: did you mean devbox images? see: devbox --help
    "
  `);
  expect(await said("run")).toMatchInlineSnapshot(`
    "exit status 125
    error: devbox run: IMAGE is missing
    hint: see: devbox run --help
    "
  `);
});

test("images that cannot be had", async () => {
  expect(await said("run", imageName("none"))).toMatchInlineSnapshot(`
    "exit status 125
    error: fetch REGISTRY/none:latest
      because: REGISTRY answered 404: manifest unknown (MANIFEST_UNKNOWN)
    hint: check the spelling of the image and its tag
    "
  `);
  expect(await said("pull", "127.0.0.1:1/x")).toMatchInlineSnapshot(`
    "exit status 125
    error: fetch 127.0.0.1:PORT/x:latest
      because: 127.0.0.1:PORT refused the connection (ECONNREFUSED)
    hint: check the network, the proxy variables and the name of the registry
    "
  `);
  expect(await said("pull", "Upper")).toMatchInlineSnapshot(`
    "exit status 125
    error: read image reference "Upper"
      because: the repository name "Upper" must be lower case
    hint: an image reference looks like NAME[:TAG][@DIGEST], for example debian:12
    "
  `);
  expect(await said("rmi", "nothing")).toMatchInlineSnapshot(`
    "exit status 1
    error: find the image nothing
      because: it is not here
    hint: see: devbox images
    "
  `);
});

test("commands and users that the image does not have", async () => {
  expect(await said("run", "--network=none", image, "nope")).toMatchInlineSnapshot(`
    "exit status 127
    error: execute nope
      because: there is no such command in the box's PATH (ENOENT)
    hint: check the spelling, and that the image has it
    "
  `);
  expect(await said("run", "--network=none", "-u", "nope", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: find the user "nope" of the box
      because: the image's /etc/passwd has no user "nope"
    hint: give the user by number, or one that is in the image's /etc/passwd
    "
  `);
});

test("places that the image does not have room for, and archives that are none", async () => {
  expect(await said("run", "--network=none", "-w", "/etc/passwd", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: enter the working directory /etc/passwd
      because: what the image has there is no directory (ENOTDIR)
    hint: give a directory, or a path that is not there: -w DIR
    "
  `);
  expect(await said("run", "--network=none", "-v", "/proc/x", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: mount on /proc/x
      because: nothing may be mounted in /proc
    hint: choose another place in the box
    "
  `);
  expect(await said("run", "docker-archive:/usr", "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: open docker-archive:/usr
      because: it is a directory
    hint: name an image layout in a directory oci:DIR, a root file system dir:DIR
    "
  `);
  const foreign = await said("run", "--platform=linux/s390x", image, "true");
  expect(foreign.replace(/for linux\/\w+/, "for linux/ARCH")).toMatchInlineSnapshot(`
    "exit status 125
    error: choose linux/s390x from REGISTRY/busybox:latest
      because: it is there for linux/ARCH only
    hint: take another tag, or leave --platform out
    "
  `);
});

test("values that mean nothing", async () => {
  expect(await said("run", "--network=foo", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: read --network foo
      because: there are none, host and slirp4netns
    hint: for example --network none
    "
  `);
  expect(await said("run", "-v", "/x:/y:zz", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: read --volume "/x:/y:zz"
      because: the option "zz" is unknown or not supported
    hint: for example -v ./src:/src or -v /data:/data:ro
    "
  `);
  expect(await said("run", "--network=none", "--sysctl", "vm.swappiness=1", image, "true")).toMatchInlineSnapshot(`
    "exit status 125
    error: set the sysctl vm.swappiness
      because: this parameter is the host's, no namespace of the box has its own
    hint: a box has its own net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*
    "
  `);
  expect(
    await said("run", "--network=none", "--mount", "type=bind,src=/none,dst=/x", image, "true"),
  ).toMatchInlineSnapshot(`
    "exit status 125
    error: mount /none on /x
      because: /none does not exist
    hint: make it: mkdir -p /none
    "
  `);
});

test("--debug adds the code and the stack, and only then there is one", async () => {
  const { stderr } = await home.run(["run", "--debug", "--network=none", image, "nope"]);
  expect(stderr).toContain("code: COMMAND_NOT_FOUND (exit status 127)");
  expect(stderr).toContain("stack:");
});

test("--json gives errors as an event", async () => {
  const { stderr, exitCode } = await home.run(["pull", "--json", imageName("none")]);
  expect(exitCode).toBe(125);
  expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({
    event: "error",
    code: "REGISTRY_NOT_FOUND",
  });
});

test("every command has help with examples, and exit status 0", async () => {
  expect(await home.ok(["--help"])).toContain("run");
  for (const command of ["run", "pull", "images", "rmi", "prune", "doctor", "version"]) {
    const help = await home.ok([command, "--help"]);
    expect(help).toContain(`devbox ${command}`);
    expect(help.toLowerCase()).toContain("examples");
  }
});

test("--version and version agree", async () => {
  expect(await home.ok(["--version"])).toMatch(/^devbox \d+\.\d+\.\d+\n$/);
  expect(await home.ok(["version"])).toContain((await home.ok(["--version"])).trim().split(" ")[1] ?? "");
});
