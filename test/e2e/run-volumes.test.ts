/** devbox run: files of the host in the box, and whose they are on both sides. */
import { beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { boxHome } from "../helpers/box.ts";

const { home, sh, out } = boxHome();
let shared = "";
beforeEach(() => {
  shared = mkdtempSync(join(home.directory, "shared-"));
});

const me = process.getuid?.() ?? 0;

test("root of the box is the caller on the host, in both directions", async () => {
  writeFileSync(join(shared, "from-host"), "host\n");
  const script = "cat /v/from-host; stat -c %u:%g /v/from-host; echo box > /v/from-box";
  expect(await out(script, ["-v", `${shared}:/v`])).toBe("host\n0:0");
  expect(readFileSync(join(shared, "from-box"), "utf8")).toBe("box\n");
  expect(statSync(join(shared, "from-box")).uid).toBe(me);
});

test("another user of the box is another id on the host, and the box's root may read and remove what it made", async () => {
  chmodSync(shared, 0o777);
  expect(await out("echo box > /v/file; id -u; stat -c %u:%g /v/file", ["-u", "dev", "-v", `${shared}:/v`])).toBe(
    "1000\n1000:1000",
  );
  expect(statSync(join(shared, "file")).uid).not.toBe(me);
  expect(await out("cat /v/file; rm /v/file", ["-v", `${shared}:/v`])).toBe("box");
  expect(existsSync(join(shared, "file"))).toBe(false);
});

test("files of the image have their owners", async () => {
  expect(await out("stat -c %u:%g /bin/busybox /data/from-image /root", ["-u", "dev"])).toBe("0:0\n1000:1000\n0:0");
});

test("a read-only volume refuses writing", async () => {
  const { exitCode, stderr } = await sh("echo x > /v/file", ["-v", `${shared}:/v:ro`]);
  expect(stderr).toContain("Read-only file system");
  expect(exitCode).not.toBe(0);
  expect(existsSync(join(shared, "file"))).toBe(false);
});

test("-v makes a missing source, --mount refuses it", async () => {
  const missing = join(shared, "new/deep");
  await out("echo x > /v/file", ["-v", `${missing}:/v`]);
  expect(readFileSync(join(missing, "file"), "utf8")).toBe("x\n");
  const { exitCode, stderr } = await sh("true", ["--mount", `type=bind,source=${shared}/none,target=/v`]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain(`${shared}/none`);
});

test("a relative source is below the current directory", async () => {
  mkdirSync(join(shared, "here"));
  writeFileSync(join(shared, "here/file"), "found\n");
  expect(await out("cat /v/file", ["-v", "./here:/v"], { cwd: shared })).toBe("found");
});

test("single files can be mounted, over files of the image too", async () => {
  const file = join(shared, "file");
  writeFileSync(file, "mine\n");
  const flags = ["-v", `${file}:/etc/os-release:ro`, "-v", `${file}:/new/file`];
  expect(await out("cat /etc/os-release /new/file", flags)).toBe("mine\nmine");
});

test("--mount type=bind and type=tmpfs", async () => {
  writeFileSync(join(shared, "file"), "bound\n");
  const flags = [
    "--mount",
    `type=bind,src=${shared},dst=/v,readonly`,
    "--mount",
    "type=tmpfs,destination=/t,tmpfs-size=1m",
  ];
  const script = "cat /v/file; grep ' /t ' /proc/mounts | cut -d' ' -f1,3; grep -c ' /v [^ ]* ro,' /proc/mounts";
  expect(await out(script, flags)).toBe("bound\ntmpfs tmpfs\n1");
});

test("--tmpfs is empty, writable and of the size asked for", async () => {
  const script = "ls /data | wc -l; echo x > /data/new && df -k /data | tail -1 | awk '{print $2}'";
  expect(await out(script, ["--tmpfs", "/data:size=2m"])).toBe("0\n2048");
});

test("-v without a source is the box's own, with the image's content", async () => {
  expect(await out("cat /data/from-image; echo x > /data/new && cat /data/new", ["-v", "/data"])).toBe(
    "content of the image\nx",
  );
});

test("a symbolic link in the image cannot lead a mount out of the box", async () => {
  symlinkSync("/", join(shared, "root"));
  mkdirSync(join(shared, "inner"));
  const flags = ["-v", `${shared}:/v`, "-v", `${shared}/inner:/v/root/etc/trap`];
  expect((await sh("ls -d /etc/trap", flags)).stdout).toBe("/etc/trap\n");
  expect(existsSync("/etc/trap")).toBe(false);
});

test("what the box writes into its root is gone with it", async () => {
  expect(await out("echo x > /etc/new && rm /etc/os-release && ls /etc/new")).toBe("/etc/new");
  expect(await out("ls /etc/new 2>/dev/null; cat /etc/os-release | head -1")).toBe("ID=busybox");
});
