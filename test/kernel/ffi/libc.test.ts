/** The wrappers on the real C library and kernel. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AT_FDCWD,
  F_SEAL_SEAL,
  F_SEAL_WRITE,
  LOCK_EX,
  LOCK_SH,
  LOCK_UN,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  S_IFIFO,
  SIGKILL,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  UTIME_OMIT,
} from "../../../ffi/constants.ts";
import { SyscallError } from "../../../ffi/errno.ts";
import * as libc from "../../../ffi/libc.ts";
import { connectUnix, receiveDescriptors, sendDescriptors, socketpair } from "../../../ffi/socket.ts";
import { getWindowSize } from "../../../ffi/terminal.ts";
import * as xattr from "../../../ffi/xattr.ts";

const directory = mkdtempSync(join(tmpdir(), "ffi-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function newFile(content = ""): string {
  const path = join(directory, `file-${files++}`);
  writeFileSync(path, content);
  return path;
}

function errnoOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SyscallError) return error.errnoName;
    throw error;
  }
  return "none";
}

describe("errors", () => {
  test("name the call, the object and errno", () => {
    expect(() => libc.lchown("/nonexistent/x", 0, 0)).toThrow(
      "lchown /nonexistent/x: no such file or directory (ENOENT)",
    );
    expect(() => libc.fchdir(-1)).toThrow("fchdir descriptor -1: bad file descriptor (EBADF)");
  });

  test("a name with a NUL byte is refused, not cut", () => {
    const path = newFile();
    expect(errnoOf(() => libc.lchown(`${path}\0x`, -1, -1))).toBe("EINVAL");
    expect(errnoOf(() => libc.lchown(new TextEncoder().encode(`${path}\0x`), -1, -1))).toBe("EINVAL");
  });

  test("a name that is too long is refused, not cut", () => {
    for (const path of ["x".repeat(4096), "é".repeat(2048)]) {
      expect(errnoOf(() => libc.lchown(path, 0, 0))).toBe("ENAMETOOLONG");
      expect(errnoOf(() => libc.lchown(new TextEncoder().encode(path), 0, 0))).toBe("ENAMETOOLONG");
    }
    expect(errnoOf(() => libc.lchown(`/${"x/".repeat(2047)}`, 0, 0))).toBe("ENOENT");
  });
});

test("a path of bytes that are not UTF-8 is the path that it says", () => {
  const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe])]);
  libc.mknodat(AT_FDCWD, path, S_IFIFO | 0o600, 0);
  expect(statSync(path).isFIFO()).toBe(true);
});

test("openat2 resolves inside a root, and closes on exec", () => {
  symlinkSync("/etc/passwd", join(directory, "link"));
  const root = openSync(directory, O_PATH | O_DIRECTORY);
  expect(errnoOf(() => libc.openat2(root, "link", { flags: O_RDONLY, resolve: RESOLVE_IN_ROOT }))).toBe("ENOENT");
  const fd = libc.openat2(root, "../..", { flags: O_PATH, resolve: RESOLVE_IN_ROOT });
  expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(directory);
  const child = Bun.spawnSync(["readlink", `/proc/self/fd/${fd}`]);
  expect(child.stdout.toString()).not.toContain(directory);
  for (const each of [root, fd]) closeSync(each);
});

test("flock: shared locks agree, an exclusive one waits its turn", () => {
  const path = newFile();
  const [a, b] = [openSync(path, "r"), openSync(path, "r")];
  expect([libc.tryFlock(a, LOCK_SH), libc.tryFlock(b, LOCK_SH), libc.tryFlock(a, LOCK_EX)]).toEqual([
    true,
    true,
    false,
  ]);
  libc.flock(b, LOCK_UN);
  libc.flock(a, LOCK_EX);
  expect(libc.tryFlock(b, LOCK_SH)).toBe(false);
  for (const each of [a, b]) closeSync(each);
  expect(errnoOf(() => libc.tryFlock(999_999, LOCK_EX))).toBe("EBADF");
});

test("seals hold", () => {
  const fd = libc.memfdCreate("seals");
  writeSync(fd, "before");
  libc.addSeals(fd, F_SEAL_WRITE | F_SEAL_SEAL);
  expect(libc.getSeals(fd)).toBe(F_SEAL_WRITE | F_SEAL_SEAL);
  expect(() => writeSync(fd, "after")).toThrow("EPERM");
  closeSync(fd);
});

test("times are set to the nanosecond, before 1970 too, and of a link itself", () => {
  const path = newFile();
  const link = `${path}.link`;
  symlinkSync(path, link);
  const before = statSync(path, { bigint: true });
  libc.utimensat(AT_FDCWD, link, { seconds: 7, nanoseconds: 8 }, { seconds: -1, nanoseconds: 999_999_999 });
  expect(statSync(path, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
  libc.utimensat(AT_FDCWD, path, { seconds: 0, nanoseconds: UTIME_OMIT }, { seconds: -1, nanoseconds: 999_999_999 });
  const after = statSync(path, { bigint: true });
  expect([after.mtimeNs, after.atimeNs]).toEqual([-1n, before.atimeNs]);
});

test("a process descriptor finds its process until it is gone", async () => {
  const child = Bun.spawn(["sleep", "1000"]);
  const pidfd = libc.pidfdOpen(child.pid);
  libc.pidfdSendSignal(pidfd, 0);
  libc.pidfdSendSignal(pidfd, SIGKILL);
  expect(await child.exited).toBe(137);
  expect(errnoOf(() => libc.pidfdSendSignal(pidfd, 0))).toBe("ESRCH");
  closeSync(pidfd);
});

describe("extended attributes", () => {
  test("are set, read, listed and removed, by path and by descriptor", () => {
    const path = newFile();
    const fd = openSync(path, "r+");
    const long = new Uint8Array(3000).fill(7);
    xattr.lsetxattr(path, "user.empty", new Uint8Array(0));
    xattr.fsetxattr(fd, "user.long", long);
    expect(xattr.llistxattr(path).sort()).toEqual(["user.empty", "user.long"]);
    expect(xattr.fgetxattr(fd, "user.empty")).toEqual(new Uint8Array(0));
    expect(xattr.lgetxattr(path, "user.long")).toEqual(long);
    xattr.lremovexattr(path, "user.long");
    expect(xattr.lgetxattr(path, "user.long")).toBeUndefined();
    expect(errnoOf(() => xattr.lremovexattr(path, "user.long"))).toBe("ENODATA");
    closeSync(fd);
  });

  test("of a link are not those of its target", () => {
    const path = newFile();
    xattr.lsetxattr(path, "user.here", new Uint8Array([1]));
    symlinkSync(path, `${path}.link`);
    expect(xattr.lgetxattr(`${path}.link`, "user.here")).toBeUndefined();
  });
});

describe("descriptors over a socket", () => {
  test("arrive with the bytes, and are the same open files", () => {
    const [a, b] = socketpair(SOCK_STREAM);
    const path = newFile("content");
    const files = [openSync(path, "r"), openSync("/dev/null", "r")];
    sendDescriptors(a, new TextEncoder().encode("two"), files);
    const { bytes, fds } = receiveDescriptors(b, 100);
    expect(new TextDecoder().decode(bytes)).toBe("two");
    expect(fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`))).toEqual([path, "/dev/null"]);
    closeSync(a);
    expect(receiveDescriptors(b, 100)).toEqual({ bytes: new Uint8Array(0), fds: [] });
    for (const fd of [b, ...files, ...fds]) closeSync(fd);
  });

  test("more than were asked for is an error, and none stays open", () => {
    const [a, b] = socketpair(SOCK_SEQPACKET);
    const open = openSync("/dev/null", "r");
    const countOpen = (): number => readdirSync("/proc/self/fd").length;
    const before = countOpen();
    sendDescriptors(
      a,
      new Uint8Array(1),
      Array.from({ length: 17 }, () => open),
    );
    expect(errnoOf(() => receiveDescriptors(b, 10))).toBe("EMSGSIZE");
    expect(countOpen()).toBe(before);
    for (const fd of [a, b, open]) closeSync(fd);
  });

  test("connecting to nobody says so", () => {
    expect(errnoOf(() => connectUnix(join(directory, "nobody"), SOCK_STREAM))).toBe("ENOENT");
    expect(errnoOf(() => connectUnix("x".repeat(200), SOCK_STREAM))).toBe("ENAMETOOLONG");
  });
});

test("what is no terminal has no window", () => {
  const fd = openSync("/dev/null", "r");
  expect(errnoOf(() => getWindowSize(fd))).toBe("ENOTTY");
  closeSync(fd);
});
