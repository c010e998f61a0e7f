/** devbox run: what the box may do and see. */
import { expect, test } from "bun:test";
import { boxHome } from "../helpers/box.ts";
import { namespaceOf } from "../helpers/processes.ts";

const { sh, out } = boxHome();

/** A line of /proc/self/status in the box. */
const status = async (name: string, flags: readonly string[] = []): Promise<string> =>
  (await out(`grep ^${name}: /proc/self/status`, flags)).split(/\s+/)[1] ?? "";

/** docker's default set (capabilities(7)): chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind, net_raw, chroot, mknod, audit_write, setfcap. */
const dockersCapabilities = "00000000a80425fb";

test("capabilities are docker's default set, for root only", async () => {
  expect(await status("CapEff")).toBe(dockersCapabilities);
  expect(await status("CapBnd")).toBe(dockersCapabilities);
  expect(await status("CapEff", ["-u", "dev"])).toBe("0000000000000000");
});

test("--cap-add and --cap-drop", async () => {
  expect(await status("CapEff", ["--cap-drop", "all"])).toBe("0000000000000000");
  expect(await status("CapEff", ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"])).toBe("0000000000001000");
  expect(await status("CapEff", ["--cap-drop", "chown"])).toBe("00000000a80425fa");
});

test("the seccomp filter is on, and off on request", async () => {
  expect(await status("Seccomp")).toBe("2");
  expect(await status("Seccomp", ["--security-opt", "seccomp=unconfined"])).toBe("0");
});

test("the seccomp filter refuses what docker's does", async () => {
  const { exitCode } = await sh("unshare -U true");
  expect(exitCode).not.toBe(0);
});

test("no_new_privs on request", async () => {
  expect(await status("NoNewPrivs")).toBe("0");
  expect(await status("NoNewPrivs", ["--security-opt", "no-new-privileges"])).toBe("1");
});

test("every namespace is the box's own", async () => {
  const types = ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"];
  const inside = (await out(types.map((type) => `readlink /proc/self/ns/${type}`).join("; "))).split("\n");
  const outside = types.map((type) => namespaceOf("self", type));
  expect(inside).toHaveLength(types.length);
  for (const [index, name] of inside.entries()) expect(name).not.toBe(outside[index]);
});

test("the box sees its own processes only, its command is 1", async () => {
  expect(await out("echo $$; ls /proc | grep -c '^[0-9]*$'")).toMatch(/^1\n[23]$/);
});

test("--init runs a reaper as 1", async () => {
  const script =
    "cat /proc/1/stat | cut -d' ' -f1; [ $$ != 1 ] && echo child; (sleep 0.01 &); sleep 0.1; grep -c '^State:.*Z' /proc/[0-9]*/status | grep -c ':1$'";
  expect(await out(`${script}; true`, ["--init"])).toBe("1\nchild\n0");
});

test("secrets of the kernel are masked, switches are read-only", async () => {
  expect(await out("cat /proc/kcore | wc -c; ls /sys/firmware | wc -l")).toBe("0\n0");
  expect((await sh("echo x > /proc/sys/kernel/hostname")).exitCode).not.toBe(0);
  expect((await sh("echo x > /proc/sysrq-trigger")).exitCode).not.toBe(0);
});

test("/dev has docker's devices, and pty, shm, mqueue", async () => {
  expect(await out("ls /dev | tr '\\n' ' '")).toBe(
    "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
  );
  expect(await out("echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 8 /dev/urandom | wc -c")).toBe("4\n8");
  expect(
    await out("awk '$2 ~ \"^/dev\" {print $2, $3}' /proc/mounts | grep -v devtmpfs | sort | tr '\\n' ';'"),
  ).toMatch(/\/dev\/mqueue mqueue;\/dev\/pts devpts;\/dev\/shm tmpfs;/);
});

test("--read-only leaves only the mounts writable", async () => {
  expect((await sh("echo x > /etc/file", ["--read-only"])).stderr).toContain("Read-only file system");
  expect(await out("echo x > /dev/shm/file && echo y > /t/file && echo ok", ["--read-only", "--tmpfs", "/t"])).toBe(
    "ok",
  );
});

test("--shm-size", async () => {
  expect(await out("df -k /dev/shm | tail -1 | awk '{print $2}'")).toBe("65536");
  expect(await out("df -k /dev/shm | tail -1 | awk '{print $2}'", ["--shm-size", "1m"])).toBe("1024");
});

test("--ulimit", async () => {
  expect(await out("ulimit -n; ulimit -Hn; ulimit -c", ["--ulimit", "nofile=100:200", "--ulimit", "core=0"])).toBe(
    "100\n200\n0",
  );
});

test("--sysctl sets what is the box's own, and refuses the rest", async () => {
  expect(await out("cat /proc/sys/net/ipv4/ip_default_ttl", ["--sysctl", "net.ipv4.ip_default_ttl=33"])).toBe("33");
  const { exitCode, stderr } = await sh("true", ["--sysctl", "vm.swappiness=1"]);
  expect(exitCode).toBe(125);
  expect(stderr).toContain("vm.swappiness");
});

test("--device passes a device on", async () => {
  expect(
    await out("test -c /dev/net/tun && echo there; test -c /dev/mine && echo renamed", [
      "--device",
      "/dev/net/tun",
      "--device",
      "/dev/zero:/dev/mine",
    ]),
  ).toBe("there\nrenamed");
});

test("--privileged: all capabilities of the box's own namespace, no filter, no masks", async () => {
  expect(await status("CapEff", ["--privileged"])).toMatch(/^0000[01]1ffffffffff$/);
  expect(await status("Seccomp", ["--privileged"])).toBe("0");
  expect(await out("mkdir /m && mount -t tmpfs none /m && echo mounted", ["--privileged"])).toBe("mounted");
});

test("chroot and setuid work as a package manager needs them", async () => {
  expect(await out("chown 1:2 /etc/os-release && stat -c %u:%g /etc/os-release && su dev -c 'id -u'")).toBe(
    "1:2\n1000",
  );
});
