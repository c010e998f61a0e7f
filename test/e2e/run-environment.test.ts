/** devbox run: variables, directory, user, names. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";
import { imageName } from "../helpers/given.ts";

const { home, sh, out } = boxHome();

test("-e sets, passes on and outweighs the image and --env-file", async () => {
  const file = join(home.directory, "env");
  writeFileSync(file, "# a comment\nFROM_FILE=file\nBOTH=file\nPASSED\n");
  const script = 'echo "$ONE|$FROM_FILE|$BOTH|$PASSED|$NOT_PASSED|$SPACES"';
  const flags = ["--env-file", file, "-e", "ONE=1", "-e", "BOTH=flag", "--env", "SPACES=a b=c", "-e", "UNKNOWN_NAME"];
  expect(await out(script, flags, { env: { PASSED: "caller", NOT_PASSED: "secret" } })).toBe(
    "1|file|flag|caller||a b=c",
  );
  expect(await out("echo ${UNKNOWN_NAME-unset}", flags)).toBe("unset");
});

test("nothing of the caller's environment leaks in", async () => {
  expect(
    (await out("env"))
      .split("\n")
      .map((line) => line.split("=")[0])
      .sort(),
  ).toEqual(expect.not.arrayContaining(["XDG_RUNTIME_DIR", "TMPDIR"]));
  expect(await out("echo $HOME $PATH")).toBe("/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
});

test("-w sets the working directory and makes it", async () => {
  expect(await out("pwd", ["-w", "/new/place"])).toBe("/new/place");
  expect(await out("pwd")).toBe("/");
});

test("-u takes names and numbers, and finds the groups", async () => {
  const id = (user: string): Promise<string> => out("id -u; id -g; id -G; echo $HOME", ["-u", user]);
  expect(await id("dev")).toBe("1000\n1000\n1000 44 50\n/home/dev");
  expect(await id("1000")).toBe("1000\n1000\n1000 44 50\n/home/dev");
  expect(await id("dev:video")).toBe("1000\n44\n44\n/home/dev");
  expect(await id("1234:5678")).toBe("1234\n5678\n5678\n/");
  expect(await id("root")).toBe("0\n0\n0 50\n/root");
});

test("a user that the image does not know is an error", async () => {
  const { exitCode, stderr } = await sh("true", ["-u", "nobody-here"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("nobody-here");
});

test("--hostname names the box, in /etc/hosts too", async () => {
  expect(await out("hostname; cat /etc/hostname; grep -c named /etc/hosts", ["-h", "named"])).toBe("named\nnamed\n1");
});

test("--add-host and --dns end up in the files", async () => {
  // Not a name that the box's own, which is hexadecimal, can contain.
  const flags = ["--add-host", "sql:10.1.2.3", "--dns", "192.0.2.53"];
  expect(await out("grep sql /etc/hosts; grep -c '^nameserver 192.0.2.53$' /etc/resolv.conf", flags)).toMatch(
    /^10\.1\.2\.3\s+sql\n1$/,
  );
});

test("TERM is set for a terminal only", async () => {
  expect(await out("echo ${TERM-unset}")).toBe("unset");
});

test("--entrypoint replaces, and an empty one takes away", async () => {
  const run = (...words: string[]): Promise<string> => home.ok(["run", "--network=none", ...words]);
  const configured = imageName("configured");
  expect(await run("--entrypoint", "/bin/echo", configured, "a")).toBe("a\n");
  expect(await run("--entrypoint", "", configured, "echo", "b")).toBe("b\n");
});

test("labels and names can be given", async () => {
  expect(await out("echo ok", ["-l", "a=b", "--label", "c", "--name", "labelled", "--rm"])).toBe("ok");
});

test("two boxes may not have one name", async () => {
  await using first = home.start([
    "run",
    "--network=none",
    "--name",
    "taken",
    "--rm",
    imageName("busybox"),
    "sh",
    "-c",
    "echo up; cat",
  ]);
  await first.output(/up/);
  const { exitCode, stderr } = await sh("true", ["--name", "taken"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("taken");
});

test("further groups, by number and name", async () => {
  expect(await out("id -G", ["-u", "2000:2001", "--group-add", "20", "--group-add", "root"])).toBe("2001 0 20");
  const { exitCode, stderr } = await sh("id", ["--group-add", "nosuch"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain('"nosuch"');
});

test("domain name, and the score when memory runs out", async () => {
  expect(await out("cat /proc/sys/kernel/domainname", ["--domainname", "example.org"])).toBe("example.org");
  expect(await out("cat /proc/self/oom_score_adj", ["--oom-score-adj", "700"])).toBe("700");
  expect((await sh("true", ["--oom-score-adj", "2000"])).exitCode).toBe(125);
});

test("--dns-search and --dns-option stand in resolv.conf", async () => {
  const flags = [
    "--dns",
    "9.9.9.9",
    "--dns-search",
    "a.example",
    "--dns-search",
    "b.example",
    "--dns-option",
    "ndots:2",
  ];
  expect(await out("grep -E '^(search|options|nameserver)' /etc/resolv.conf", flags)).toBe(
    "search a.example b.example\noptions ndots:2\nnameserver 9.9.9.9",
  );
  expect((await sh("true", ["--dns-search", "a b"])).stderr).toContain("--dns-search");
});
