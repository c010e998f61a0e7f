/** What probes make of what they saw: laptops of all kinds, as data. */
import { describe, expect, test } from "bun:test";
import { canRun, type Finding } from "../../../src/doctor/finding.ts";
import { judgeCgroup } from "../../../src/doctor/probes/cgroup.ts";
import { judgeIdmap } from "../../../src/doctor/probes/idmap.ts";
import { judgeKernel } from "../../../src/doctor/probes/kernel.ts";
import { judgeLimits } from "../../../src/doctor/probes/limits.ts";
import { judgeSlirp, judgeTap } from "../../../src/doctor/probes/network.ts";
import { judgeDataOnly, judgeOverlay } from "../../../src/doctor/probes/overlay.ts";
import { judgeSeccomp } from "../../../src/doctor/probes/seccomp.ts";
import { judgeFileSystem, judgeSpace } from "../../../src/doctor/probes/store.ts";
import { judgeRanges } from "../../../src/doctor/probes/subordinate-ids.ts";
import { judgeNamespaces, judgeRights } from "../../../src/doctor/probes/user-namespaces.ts";
import type { Outcome } from "../../../src/doctor/trial.ts";
import type { HostFacts } from "../../../src/host/facts.ts";

const ok: Outcome = { ok: true };
const denied: Outcome = { ok: false, step: "try", errnoName: "EPERM", why: "operation not permitted (EPERM)" };

test("kernel releases", () => {
  expect(judgeKernel("6.1.0-18-amd64")).toEqual({ name: "kernel", status: "ok", detail: "6.1.0-18-amd64" });
  for (const release of ["5.14.0", "5.15-rc1", "10.0"]) expect(judgeKernel(release).status).toBe("ok");
  for (const release of ["5.13.19", "4.18.0-553", "unknown", ""]) expect(judgeKernel(release).status).toBe("warn");
});

describe("user namespaces", () => {
  const open = { apparmorRestrict: undefined, unprivilegedClone: undefined, maxNamespaces: 1000 };

  test("allowed", () => {
    expect(judgeNamespaces(ok, open)).toMatchObject({ status: "ok", detail: "at most 1000 for a user" });
    expect(judgeRights(ok, open).status).toBe("ok");
    expect(judgeRights(ok, { ...open, apparmorRestrict: 1 })).toMatchObject({
      status: "ok",
      detail: "lets devbox mount",
    });
  });

  test("each switch has its own line that turns it on again, for good", () => {
    const fixOf = (settings: object): string | undefined => judgeNamespaces(denied, { ...open, ...settings }).fix;
    expect(fixOf({ unprivilegedClone: 0 })).toBe(
      "sudo sysctl -w kernel.unprivileged_userns_clone=1 && echo kernel.unprivileged_userns_clone=1 | sudo tee /etc/sysctl.d/60-devbox.conf",
    );
    expect(fixOf({ maxNamespaces: 0 })).toContain("user.max_user_namespaces=15000");
    expect(fixOf({ apparmorRestrict: 1 })).toContain("kernel.apparmor_restrict_unprivileged_userns=0");
    expect(fixOf({})).toContain("seccomp profile");
  });

  test("Ubuntu: the namespace is there, its root has no rights", () => {
    expect(judgeRights(denied, { ...open, apparmorRestrict: 1 })).toMatchObject({
      name: "AppArmor",
      status: "fail",
      detail: "try: operation not permitted (EPERM)",
    });
    expect(judgeRights(denied, open)).toMatchObject({ name: "rights in namespaces", status: "fail" });
  });
});

describe("subordinate ids", () => {
  const range = [{ start: 100_000, count: 65_536 }];
  const host: HostFacts = {
    architecture: "x86_64",
    uid: 1000,
    gid: 1000,
    userName: "me",
    home: "/home/me",
    subuids: range,
    subgids: range,
    ownUids: [],
    ownGids: [],
    helpers: { newuidmap: undefined, newgidmap: undefined, slirp4netns: undefined },
  };

  test("enough, too few, none, root", () => {
    expect(judgeRanges(host)).toEqual({ name: "subordinate ids", status: "ok", detail: "65536 users, 65536 groups" });
    expect(judgeRanges({ ...host, subgids: [{ start: 1, count: 100 }] }).status).toBe("warn");
    expect(judgeRanges({ ...host, subuids: [] })).toMatchObject({
      status: "fail",
      fix: expect.stringMatching(/^sudo usermod --add-subuids (\d+-\d+) --add-subgids \1 me$/),
    });
    expect(judgeRanges({ ...host, uid: 0, subuids: [], subgids: [] }).status).toBe("ok");
  });
});

describe("the store", () => {
  const facts = { root: "/s", fileSystem: "ext4", freeBytes: 80e9, userXattrs: true, reflinks: false };

  test("file systems", () => {
    expect(judgeFileSystem(facts)).toEqual({ name: "store", status: "ok", detail: "/s: ext4 with xattrs" });
    expect(judgeFileSystem({ ...facts, fileSystem: "btrfs", reflinks: true }).detail).toBe(
      "/s: btrfs with xattrs, reflinks",
    );
    expect(judgeFileSystem({ ...facts, fileSystem: "nfs", userXattrs: false }).status).toBe("fail");
    expect(judgeFileSystem({ ...facts, fileSystem: "nfs" }).status).toBe("warn");
    const readOnly = { ...facts, unusable: "read-only file system (EROFS)" };
    expect(judgeFileSystem(readOnly)).toEqual({
      name: "store",
      status: "fail",
      detail: "/s: read-only file system (EROFS)",
      fix: "put the store on ext4, xfs or btrfs: export DEVBOX_STORE=DIR",
    });
  });

  test("space", () => {
    expect(judgeSpace(facts)).toEqual({ name: "free space", status: "ok", detail: "80.0 GB" });
    expect(judgeSpace({ ...facts, freeBytes: 1e9 })).toMatchObject({
      status: "warn",
      fix: expect.stringContaining("prune"),
    });
  });
});

test("overlay, data-only overlay, idmapped mounts, seccomp: only what every box needs fails", () => {
  expect(judgeOverlay(denied)).toMatchObject({ status: "fail", fix: "a kernel of at least 5.11" });
  expect(judgeOverlay({ ...denied, errnoName: "ENODEV" }).fix).toBe("sudo modprobe overlay");
  expect(judgeSeccomp(denied).status).toBe("fail");
  expect(judgeDataOnly(denied).status).toBe("warn");
  expect(judgeIdmap(denied).status).toBe("warn");
  for (const judge of [judgeOverlay, judgeSeccomp, judgeDataOnly, judgeIdmap]) {
    expect(judge(ok)).toEqual({ name: expect.any(String), status: "ok", detail: expect.any(String) });
  }
});

test("slirp4netns by what it says of itself", () => {
  const judge = (text: string) => judgeSlirp("/usr/bin/slirp4netns", text);
  expect(judge("slirp4netns version 1.2.0\ncommit: 656041d\n")).toEqual({
    name: "slirp4netns",
    status: "ok",
    detail: "/usr/bin/slirp4netns, version 1.2.0",
  });
  expect(judge("slirp4netns version 1.0.1\n").status).toBe("warn");
  expect(judge("slirp4netns version 0.4.7+dev\n").status).toBe("warn");
  expect(judge("?").status).toBe("warn");
});

test("a tap device that cannot be had", () => {
  expect(judgeTap("/dev/net/tun", denied)).toEqual({
    name: "tap device",
    status: "warn",
    detail: "try: operation not permitted (EPERM)",
    fix: expect.stringContaining("sudo modprobe tun && sudo chmod 666 /dev/net/tun"),
  });
});

test("what needs namespaces is not judged where there are none", () => {
  const untried: Outcome = { ...denied, step: "create namespaces", isUntried: true };
  const findings = [
    judgeOverlay(untried),
    judgeDataOnly(untried),
    judgeIdmap(untried),
    judgeTap("/dev/net/tun", untried),
  ];
  for (const { status, detail, fix } of findings) {
    expect([status, detail, fix]).toEqual([
      "warn",
      "not tried: create namespaces: operation not permitted (EPERM)",
      "mend first what fails above",
    ]);
  }
});

test("cgroups", () => {
  const delegated = { kind: "v2", path: "/c", controllers: ["cpu", "io", "memory", "pids"], writable: true } as const;
  expect(judgeCgroup(delegated)).toEqual({ name: "cgroup delegation", status: "ok", detail: "/c: cpu io memory pids" });
  expect(judgeCgroup({ ...delegated, controllers: ["memory", "pids"] }).detail).toContain("without cpu, io");
  expect(judgeCgroup({ ...delegated, writable: false }).detail).toContain("not ours to divide");
  expect(judgeCgroup({ kind: "v1" }).status).toBe("warn");
});

test("file watches", () => {
  const limit = (sysctl: string, value: number | undefined) => ({ sysctl, least: 100, set: 500, value });
  expect(judgeLimits([limit("fs.a", 100), limit("fs.b", undefined)])).toEqual({
    name: "file watches",
    status: "ok",
    detail: "a 100, b unknown",
  });
  expect(judgeLimits([limit("fs.a", 99), limit("fs.b", 1)]).fix).toBe("sudo sysctl -w fs.a=500 fs.b=500");
});

test("boxes can run unless something fails", () => {
  const warning: Finding = { name: "x", detail: "", status: "warn", fix: "y" };
  expect(canRun([{ name: "x", detail: "", status: "ok" }, warning])).toBe(true);
  expect(canRun([warning, { ...warning, status: "fail" }])).toBe(false);
});
