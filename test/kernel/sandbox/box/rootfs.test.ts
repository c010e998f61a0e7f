/** The root file system, its propagation, masked and read-only paths, control groups (runtime-spec config.md, config-linux.md). */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { mknodat } from "../../../../ffi/libc.ts";
import { findCgroupLayout } from "../../../../src/cgroup/layout.ts";
import type { RootfsPropagation, RuntimeConfig, RuntimeMount } from "../../../../src/oci/runtime.ts";
import { create } from "../../../../src/runtime/create.ts";
import { cgroupTrees } from "../../../../src/runtime/sandbox-facts.ts";
import { host, makeBusyboxRoot, openWorkshop, sharedDirectory } from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, kinds, mountIn, mountLine, ociInput } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

let count = 0;
function freshRoot(): string {
  const root = join(workshop.path, `root-${count++}`);
  makeBusyboxRoot(root);
  return root;
}

const AT_FDCWD = -100;
const S_IFIFO = 0o010000;

describe.each(kinds)("%s", (kind) => {
  const propagations: readonly (readonly [RootfsPropagation, tag: RegExp, below: RegExp])[] = [
    ["private", /^$/, /^$/],
    ["rprivate", /^$/, /^$/],
    ["slave", /^(?:master:\d+)?$/, /^$/],
    ["rslave", /^(?:master:\d+)?$/, /^$/],
    ["shared", /^shared:\d+$/, /^$/],
    ["rshared", /^shared:\d+$/, /^shared:\d+$/],
    ["unbindable", /^unbindable$/, /^$/],
    ["runbindable", /^unbindable$/, /^unbindable$/],
  ];

  test.each(propagations)("rootfsPropagation %s", async (rootfsPropagation, own, below) => {
    const text = await inBox(workshop, "cat /proc/self/mountinfo", { kind, linux: { rootfsPropagation } });
    expect(mountLine(text, "/").tags.join(" ")).toMatch(own);
    expect(mountLine(text, "/dev").tags.join(" ")).toMatch(below);
  });

  test("a read-only root: what is mounted in it may be written to", async () => {
    const config = (all: RuntimeConfig): RuntimeConfig => ({ ...all, root: { path: "rootfs", readonly: true } });
    const script = "touch /x 2>/dev/null || echo refused; touch /dev/x /dev/shm/x && echo ok";
    expect(await inBox(workshop, script, { kind, config })).toBe("refused\nok");
    expect((await mountIn(workshop, "/", { kind, config })).options).toContain("ro");
  });

  test("a root that is named by a symlink, also as its own mount point", async () => {
    const root = freshRoot();
    const link = join(workshop.path, `link-${count++}`);
    symlinkSync(root, link);
    writeFileSync(join(root, "mark"), "here");
    expect(await inBox(workshop, "cat /mark", { kind, root: link })).toBe("here");
    const sandbox = { rootfs: { kind: "directory", path: link }, mountpoint: link } as const;
    expect(await inBox(workshop, "cat /mark", { kind, root: link, sandbox })).toBe("here");
  });

  test("masked paths of every kind show nothing, missing ones are left out, symlinks are followed in the root", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "s/directory"), { recursive: true });
    writeFileSync(join(root, "s/directory/file"), "secret");
    writeFileSync(join(root, "s/file"), "secret");
    writeFileSync(join(root, "s/target"), "secret");
    symlinkSync("/s/target", join(root, "s/link"));
    mknodat(AT_FDCWD, join(root, "s/fifo"), S_IFIFO | 0o666, 0);
    const maskedPaths = ["directory", "file", "link", "fifo", "missing", "file/below"].map((name) => `/s/${name}`);
    const script = `ls -A /s/directory | wc -l; cat /s/file /s/target /s/link | wc -c; stat -c '%F %t:%T' /s/fifo
      touch /s/directory/x 2>/dev/null || echo refused; ls /s`;
    expect(await inBox(workshop, script, { kind, root, linux: { maskedPaths } })).toBe(
      "0\n0\ncharacter special file 1:3\nrefused\ndirectory\nfifo\nfile\nlink\ntarget",
    );
  });

  test("read-only paths of every kind, with what is mounted below", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "s/directory/mount"), { recursive: true });
    writeFileSync(join(root, "s/file"), "fixed");
    for (const path of ["s", "s/directory", "s/directory/mount"]) chmodSync(join(root, path), 0o777);
    const mounts: RuntimeMount[] = [{ destination: "/s/directory/mount", type: "tmpfs", source: "tmpfs" }];
    const readonlyPaths = ["/s/directory", "/s/file", "/s/missing"];
    const script = `for path in /s/directory/x /s/directory/mount/x /s/file /s/x; do
      (echo x > $path) 2>/dev/null && echo "$path written"; done; cat /s/file`;
    expect(await inBox(workshop, script, { kind, root, mounts, linux: { readonlyPaths } })).toBe("/s/x written\nfixed");
  });

  const layout = findCgroupLayout(readFileSync("/proc/self/mountinfo", "utf8"));
  test.if(layout?.version === 1)("control groups of version 1: a tree for each controller", async () => {
    if (layout?.version !== 1) return;
    const trees = [...new Set(Object.values(layout.mounts))];
    const sandbox = { cgroupTrees: cgroupTrees({ layout, directories: trees }) };
    const names = trees.map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
    const mounts = (access: string): RuntimeMount[] => [
      { destination: "/cg", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", access] },
    ];
    const script = "ls /cg; cat /proc/self/mountinfo";
    for (const access of ["ro", "rw"]) {
      const text = await inBox(workshop, script, { kind, sandbox, mounts: mounts(access) });
      expect(text.split("\n").slice(0, names.length)).toEqual(names);
      expect(mountLine(text, "/cg").options.includes("ro")).toBe(access === "ro");
      for (const name of names) {
        const line = mountLine(text, `/cg/${name}`);
        expect(line).toMatchObject({ type: "cgroup", root: "/" });
        expect(line.options.includes("ro")).toBe(access === "ro");
      }
    }
    // Without a cgroup namespace: the directories of the group are bound where the tree may not be mounted.
    const config = (all: RuntimeConfig): RuntimeConfig => ({
      ...all,
      linux: { ...all.linux, namespaces: all.linux.namespaces.filter(({ type }) => type !== "cgroup") },
    });
    const bound = await inBox(workshop, script, { kind, sandbox, mounts: mounts("ro"), config });
    for (const name of names) expect(mountLine(bound, `/cg/${name}`)).toMatchObject({ type: "cgroup" });
  });

  test("cgroup2: read-only or writable, as asked", async () => {
    const options = ["nosuid", "noexec", "nodev"];
    for (const access of ["ro", "rw"]) {
      const mounts = [{ destination: "/cg", type: "cgroup2", source: "cgroup", options: [...options, access] }];
      expect(await mountIn(workshop, "/cg", { kind, mounts })).toMatchObject({
        type: "cgroup2",
        options: expect.arrayContaining([access, ...options]),
      });
    }
  });
});

describe.if(host.uid === 0)("as root", () => {
  test("rslave: what the host mounts in the root later, arrives", async () => {
    const place = join(workshop.path, `shared-${count++}`);
    mkdirSync(place);
    await $`mount -t tmpfs tmpfs ${place} && mount --make-shared ${place}`.quiet();
    try {
      const root = join(place, "root");
      makeBusyboxRoot(root);
      mkdirSync(join(root, "later"));
      for (const [rootfsPropagation, arrives] of [
        ["rslave", "1"],
        ["rprivate", "0"],
      ] as const) {
        const out = sharedDirectory(workshop);
        for (const name of ["ready", "go"]) mknodat(AT_FDCWD, join(out, name), S_IFIFO | 0o666, 0);
        // Open for both: it does not wait for the other end, which a box that fails never opens.
        const go = openSync(join(out, "go"), "r+");
        const mounts = [{ destination: "/out", type: "bind", source: out, options: ["rbind"] }];
        const script = "echo > /out/ready; read line < /out/go; grep -c ' /later ' /proc/self/mountinfo > /out/text";
        const input = ociInput(workshop, ["/bin/sh", "-c", script], {
          kind: "no user namespace",
          root,
          mounts,
          linux: { rootfsPropagation },
        });
        const container = await create(input);
        container.start();
        const ended = container.launched.wait();
        await Promise.race([$`timeout 20 head -c 1 ${out}/ready`.quiet(), ended]);
        await $`mount -t tmpfs tmpfs ${root}/later`.quiet();
        writeSync(go, "go\n");
        await ended;
        await $`umount ${root}/later`.quiet();
        closeSync(go);
        expect(readFileSync(join(out, "text"), "utf8").trim()).toBe(arrives);
      }
    } finally {
      await $`umount -R ${place}`.quiet();
    }
  });

  test("a masked path that the box's root may not look at is an error, not left out", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "closed/secret"), { recursive: true });
    await $`chown -R 100000:100000 ${root}`.quiet();
    chownSync(join(root, "closed"), 0, 0);
    chmodSync(join(root, "closed"), 0o700);
    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const settings = { root, idMap: { uid: map, gid: map }, linux: { maskedPaths: ["/closed/secret"] } };
    expect(await boxFailure(workshop, settings)).toMatchObject({
      step: "find /closed/secret in the root",
      because: expect.stringContaining("EACCES"),
    });
  });
});
