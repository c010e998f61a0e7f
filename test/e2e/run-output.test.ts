/** devbox run: what goes in and comes out, and the exit status. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import { imageName } from "../helpers/given.ts";

const { home, image, sh, out } = boxHome();

test("stdout, stderr and exit status pass through, and devbox adds nothing", async () => {
  expect(await sh("echo to-stdout; echo to-stderr >&2; exit 7")).toEqual({
    stdout: "to-stdout\n",
    stderr: "to-stderr\n",
    exitCode: 7,
  });
});

test("a command may stand behind --", async () => {
  expect(await home.ok(["run", "--network=none", image, "--", "echo", "-n", "--", "words"])).toBe("-- words");
});

test("options behind the image belong to the command", async () => {
  expect(await home.ok(["run", "--network=none", image, "echo", "-e", "a\\tb"])).toBe("a\tb\n");
});

test("stdin arrives byte by byte and ends", async () => {
  const text = `${"0123456789abcdef".repeat(20_000)}end`;
  expect(await home.ok(["run", "--network=none", "-i", image, "md5sum"], { stdin: text })).toBe(
    `${new Bun.CryptoHasher("md5").update(text).digest("hex")}  -\n`,
  );
});

test("a megabyte of output arrives whole", async () => {
  expect((await out("yes | head -c 1048576")).length).toBe(1_048_575);
});

test("exit status of a command that a signal ended is 128 + n", async () => {
  // With --init, as the kernel keeps a PID 1 from killing itself (pid_namespaces(7)).
  expect((await sh("kill -KILL $$", ["--init"])).exitCode).toBe(137);
  expect((await sh("kill -TERM $$", ["--init"])).exitCode).toBe(143);
});

test("a command that is not there: 127", async () => {
  const { exitCode, stderr } = await home.run(["run", "--network=none", image, "no-such-program"]);
  expect(exitCode).toBe(127);
  expect(stderr).toContain("no-such-program");
});

test("a command that cannot be executed: 126", async () => {
  for (const path of ["/etc/no-permission", "/etc"]) {
    const { exitCode, stderr } = await home.run(["run", "--network=none", image, path]);
    expect(stderr).toContain(path);
    expect(exitCode).toBe(126);
  }
});

test("a failure of devbox itself: 125", async () => {
  expect((await home.run(["run", "--no-such-flag", image, "true"])).exitCode).toBe(125);
  expect((await home.run(["run", imageName("no-such-image"), "true"])).exitCode).toBe(125);
});

test("without a command the image's own runs, with its entrypoint, user and directory", async () => {
  const configured = imageName("configured");
  expect(await home.ok(["run", "--network=none", configured])).toBe("entry default\n");
  expect(await home.ok(["run", "--network=none", configured, "mine"])).toBe("entry mine\n");
  const script = "id -un; pwd; echo $GREETING";
  expect(await home.ok(["run", "--network=none", "--entrypoint", "sh", configured, "-c", script])).toBe(
    "dev\n/work/made\nhello\n",
  );
});

test("run pulls an image that is not there, and says so on stderr only", async () => {
  const { stdout, exitCode } = await home.run(["run", "--network=none", imageName("busybox-zstd"), "echo", "pulled"]);
  expect({ stdout, exitCode }).toEqual({ stdout: "pulled\n", exitCode: 0 });
});

test("--pull never refuses an image that is not there", async () => {
  const { exitCode, stderr } = await home.run(["run", "--pull", "never", imageName("debian"), "true"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("debian");
});

test("processes in the background end with the command", async () => {
  expect(await out("sleep 1000 & echo started")).toBe("started");
});
