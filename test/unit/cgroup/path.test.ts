import { describe, expect, test } from "bun:test";
import { type CgroupPathRequest, chooseCgroupPath } from "../../../src/cgroup/path.ts";
import type { CgroupLayout } from "../../../src/cgroup/types.ts";
import { failureOf } from "../../helpers/failure.ts";

const v2: CgroupLayout = { version: 2, mount: "/sys/fs/cgroup" };
const v1: CgroupLayout = { version: 1, mounts: { memory: "/sys/fs/cgroup/memory" }, unified: undefined };

function choose(given: Partial<CgroupPathRequest>): string {
  return chooseCgroupPath({
    cgroupsPath: undefined,
    id: "box1",
    layout: v2,
    own: { unified: "/user.slice/session-1.scope", controllers: { memory: "/process" } },
    rootless: false,
    uid: 1000,
    systemd: false,
    ...given,
  });
}

describe("cgroupfs", () => {
  test.each([
    ["an absolute path is below the mount point", "/my/box", v2, "/my/box"],
    ["and the same on version 1", "/my/box", v1, "/my/box"],
    ["empty parts and points fall away", "//my/./box/", v2, "/my/box"],
    ["a relative path is beside our own group", "my/box", v2, "/user.slice/my/box"],
    ["no path is the id, beside our own group", undefined, v2, "/user.slice/box1"],
    ["an empty path is none", "", v2, "/user.slice/box1"],
    ["on version 1 both begin at the root", "my/box", v1, "/my/box"],
    ["also without a path", undefined, v1, "/box1"],
    ["colons are no more than colons", "/a:b:c", v2, "/a:b:c"],
  ] as const)("%s", (_, cgroupsPath, layout, expected) => {
    expect(choose({ cgroupsPath, layout })).toBe(expected);
  });

  test("beside our own group at the root is in the root", () => {
    expect(choose({ own: { unified: "/", controllers: {} } })).toBe("/box1");
    expect(choose({ own: { unified: "/scope", controllers: {} } })).toBe("/box1");
  });

  test("where only our own group is mounted, paths are below it", () => {
    const layout: CgroupLayout = { version: 2, mount: "/sys/fs/cgroup", root: "/docker/abc" };
    expect(choose({ layout, own: { unified: "/docker/abc/init", controllers: {} } })).toBe("/box1");
    expect(choose({ layout, own: { unified: "/docker/abc", controllers: {} } })).toBe("/box1");
  });

  test("a group of ours outside of the namespace counts as none", () => {
    expect(choose({ own: { unified: "/../other/scope", controllers: {} } })).toBe("/box1");
  });

  test.each([
    ["/a/../../b", "it must be without .."],
    ["../b", "it must be without .."],
    ["/", "it names the root of the tree"],
    ["/./", "it names the root of the tree"],
    ["/a\nb", "it must be without newlines and NUL bytes"],
    ["/a\0b", "it must be without newlines and NUL bytes"],
    [`/${"ä".repeat(128)}`, "a part of it has more than 255 bytes"],
  ])("%p is refused", (cgroupsPath, because) => {
    const failure = failureOf(() => choose({ cgroupsPath }));
    expect(failure.code).toBe("BAD_CONFIG");
    expect(failure.step).toContain("linux.cgroupsPath");
    expect(failure.because).toContain(because);
  });
});

describe("--systemd-cgroup", () => {
  test.each([
    ["system.slice:docker:1234", "/system.slice/docker-1234.scope"],
    ["a-b-c.slice:p:n", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope"],
    ["-.slice:p:n", "/p-n.scope"],
    ["a.slice:p:a-pod.slice", "/a.slice/a-pod.slice"],
    [":p:n", "/system.slice/p-n.scope"],
    [undefined, "/system.slice/devbox-box1.scope"],
  ])("%p becomes %p", (cgroupsPath, expected) => {
    expect(choose({ systemd: true, cgroupsPath })).toBe(expected);
  });

  test("an ordinary user's is below his own systemd", () => {
    const manager = "/user.slice/user-1000.slice/user@1000.service";
    expect(choose({ systemd: true, rootless: true })).toBe(`${manager}/user.slice/devbox-box1.scope`);
    const own = { unified: `/machine.slice${manager}/app.slice/shell.scope`, controllers: {} };
    expect(choose({ systemd: true, rootless: true, own, cgroupsPath: "a.slice:p:n" })).toBe(
      `/machine.slice${manager}/a.slice/p-n.scope`,
    );
  });

  test.each([
    "/my/box",
    "a.slice:p",
    "a.slice:p:n:m",
    "a.slice:p:",
    "a:p:n",
    "a--b.slice:p:n",
    "x/a.slice:p:n",
    "a.slice:..:/../n",
  ])("%p is refused", (cgroupsPath) => {
    expect(failureOf(() => choose({ systemd: true, cgroupsPath })).code).toBe("BAD_CONFIG");
  });
});
