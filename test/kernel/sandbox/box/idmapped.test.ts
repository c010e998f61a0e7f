/** Mounts with id maps of their own: what root may on the host's file systems, and what everybody may on those of the box. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { defaultIdMap } from "../../../../src/host/id-map.ts";
import { toHostId } from "../../../../src/oci/id-map.ts";
import type { IdMap, RuntimeMount } from "../../../../src/oci/runtime.ts";
import { host, makeBusyboxRoot, openWorkshop, sharedDirectory } from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, kinds } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const map = (containerID: number, hostID: number, size: number) => [{ containerID, hostID, size }];
const mapped = (source: string, options: readonly string[], ids?: readonly [number, number, number]): RuntimeMount => ({
  destination: "/m",
  type: "bind",
  source,
  options,
  ...(ids === undefined ? {} : { uidMappings: map(...ids), gidMappings: map(...ids) }),
});

/** A directory with a file of root's and one of id 1000's. */
function files(): string {
  const source = sharedDirectory(workshop);
  for (const id of [0, 1000]) {
    writeFileSync(join(source, String(id)), "");
    chownSync(join(source, String(id)), id, id);
  }
  return source;
}

const owners = "stat -c '%n %u %g' /m/*";

describe.if(host.uid === 0)("as root", () => {
  /** Container 0 is the host's 100000: nobody of the host's is in the box. */
  const shifted: IdMap = { uid: map(0, 100_000, 65_536), gid: map(0, 100_000, 65_536) };
  const shiftedRoot = (): string => {
    const root = join(workshop.path, `root-${Math.random()}`);
    makeBusyboxRoot(root);
    Bun.spawnSync(["chown", "-R", "100000:100000", root]);
    return root;
  };

  test("without a map the files are nobody's; with the box's own, by option, they are whose they are on disk", async () => {
    const settings = { idMap: shifted, root: shiftedRoot() };
    const source = files();
    const nobody = await inBox(workshop, owners, { ...settings, mounts: [mapped(source, ["rbind"])] });
    expect(nobody).toBe("/m/0 65534 65534\n/m/1000 65534 65534");
    for (const option of ["idmap", "ridmap"]) {
      const mounts = [mapped(source, ["rbind", option])];
      expect(await inBox(workshop, owners, { ...settings, mounts })).toBe("/m/0 0 0\n/m/1000 1000 1000");
    }
  });

  test("a map of its own; what is made in the box gets the owner on disk", async () => {
    const source = files();
    chownSync(source, 1000, 1000);
    const mounts = [mapped(source, ["bind"], [1000, 100_000, 1])];
    const script = `${owners}; touch /m/new && stat -c %u /m/new`;
    expect(await inBox(workshop, script, { idMap: shifted, root: shiftedRoot(), mounts })).toBe(
      "/m/0 65534 65534\n/m/1000 0 0\n0",
    );
    expect(
      Bun.spawnSync(["stat", "-c", "%u %g", join(source, "new")])
        .stdout.toString()
        .trim(),
    ).toBe("1000 1000");
  });

  test("without a user namespace a map must be given", async () => {
    const source = files();
    const mounts = [mapped(source, ["bind"], [0, 1000, 1])];
    expect(await inBox(workshop, owners, { kind: "no user namespace", mounts })).toBe(
      "/m/0 1000 1000\n/m/1000 65534 65534",
    );
    const none = { kind: "no user namespace", mounts: [mapped(source, ["bind", "idmap"])] } as const;
    expect(await boxFailure(workshop, none)).toMatchObject({
      code: "BAD_CONFIG",
      step: "map the ids of the mount /m",
      because: expect.stringContaining("no uidMappings"),
    });
  });

  test("idmap is of the mount, ridmap of all below it", async () => {
    const source = files();
    const below = join(source, "below");
    mkdirSync(below);
    await $`mount -t tmpfs tmpfs ${below} && touch ${below}/file`.quiet();
    try {
      const see = (option: string) =>
        inBox(workshop, "stat -c %u /m/0 /m/below/file", {
          kind: "no user namespace",
          mounts: [mapped(source, ["rbind", option], [0, 1234, 1])],
        });
      expect(await see("idmap")).toBe("1234\n0");
      expect(await see("ridmap")).toBe("1234\n1234");
    } finally {
      await $`umount ${below}`.quiet();
    }
  });

  test("several mounts, some with the same map; attributes and propagation are theirs; no descriptor stays open", async () => {
    const sources = Array.from({ length: 4 }, files);
    const mounts = sources.map((source, i) => ({
      ...mapped(source, ["bind", "ro", "nosuid"], [0, i < 2 ? 100_000 : 100_007, 1]),
      destination: `/m${i}`,
    }));
    const script =
      "stat -c %u /m0/0 /m1/0 /m2/0 /m3/0; grep -c ' /m. ro,nosuid' /proc/self/mountinfo; ls /proc/self/fd";
    const text = await inBox(workshop, script, { idMap: shifted, root: shiftedRoot(), mounts });
    expect(text).toBe("0\n0\n7\n7\n4\n0\n1\n2\n3");
  });

  test("the init process of a box holds none of them", async () => {
    const mounts = [mapped(files(), ["bind", "idmap"])];
    const settings = { idMap: shifted, root: shiftedRoot(), mounts, options: { init: true } };
    expect(await inBox(workshop, "ls /proc/1/fd | grep -c '^2[0-9][0-9]$'; true", settings)).toBe("0");
  });

  test("what the box mounts below does not appear on the host, though the source is shared there", async () => {
    const source = join(workshop.path, "shared");
    mkdirSync(source);
    await $`mount -t tmpfs tmpfs ${source} && mount --make-shared ${source} && mkdir ${source}/inner`.quiet();
    try {
      const settings = { idMap: shifted, root: shiftedRoot(), options: { capAdd: ["SYS_ADMIN"] }, confined: false };
      const mounts = [mapped(source, ["rbind", "idmap"])];
      const script = "mount -t tmpfs mine /m/inner && grep -c ' /m/inner ' /proc/self/mountinfo";
      expect(await inBox(workshop, script, { ...settings, mounts })).toBe("1");
      // It would stay there when the box has ended.
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${source}/inner`);
    } finally {
      await $`umount -R ${source}`.quiet();
    }
  });

  test("a procfs cannot", async () => {
    const mounts = [mapped("/proc", ["bind", "idmap"])];
    expect(await boxFailure(workshop, { idMap: shifted, root: shiftedRoot(), mounts })).toMatchObject({
      step: "map the ids of the mount /m",
      because: expect.stringContaining("EINVAL"),
      hint: expect.stringContaining("ext4"),
    });
  });

  test("a source that is missing", async () => {
    const source = join(workshop.path, "missing");
    const error = await boxFailure(workshop, {
      idMap: shifted,
      root: shiftedRoot(),
      mounts: [mapped(source, ["bind", "idmap"])],
    });
    expect(error).toMatchObject({ step: `bind ${source} on /m`, because: expect.stringContaining("ENOENT") });
  });

  test("a root file system and a source below a directory that the box's root may not enter", async () => {
    const closed = join(workshop.path, "closed");
    mkdirSync(join(closed, "source"), { recursive: true });
    writeFileSync(join(closed, "source/file"), "content");
    chmodSync(join(closed, "source"), 0o755);
    const root = join(closed, "root");
    makeBusyboxRoot(root);
    Bun.spawnSync(["chown", "-R", "100000:100000", root]);
    chmodSync(closed, 0o700);
    const mounts = [mapped(join(closed, "source"), ["rbind"])];
    const sandbox = { mountpoint: root };
    const text = await inBox(
      workshop,
      "cat /m/file; touch /new && stat -c %u /new; ls -d /root /home 2>/dev/null; true",
      {
        ...{ idMap: shifted, root, mounts, sandbox },
      },
    );
    expect(text).toBe("content0");
  });
});

describe("in a box", () => {
  test("a tmpfs of its own, with a map in the host's ids", async () => {
    const idMap = defaultIdMap(host);
    const [uid = 0, gid = 0] = [toHostId(idMap.uid, 7), toHostId(idMap.gid, 8)];
    const mounts = [
      { destination: "/m", type: "tmpfs", source: "t", uidMappings: map(0, uid, 1), gidMappings: map(0, gid, 1) },
    ];
    expect(await inBox(workshop, "stat -c '%u %g' /m", { mounts, idMap })).toBe("7 8");
  });

  test.if(host.uid !== 0)("an ordinary user may not map the ids of the host's file systems", async () => {
    const mounts = [mapped(sharedDirectory(workshop), ["bind", "idmap"])];
    expect(await boxFailure(workshop, { mounts })).toMatchObject({
      step: "map the ids of the mount /m",
      because: "only root of the machine may map the ids of its file systems (EPERM)",
    });
  });

  test("half a map, and ids that the box does not have", async () => {
    const half = { destination: "/m", type: "tmpfs", source: "t", uidMappings: map(0, 0, 1) };
    expect(await boxFailure(workshop, { mounts: [half] })).toMatchObject({
      because: "it needs both uidMappings and gidMappings",
    });
    for (const kind of kinds.filter((each) => each === "user namespace")) {
      const strange = { ...half, uidMappings: map(0, 4_000_000, 2), gidMappings: map(0, 4_000_000, 2) };
      expect(await boxFailure(workshop, { kind, mounts: [strange] })).toMatchObject({
        code: "BAD_CONFIG",
        because: "the box does not have the host's ids 4000000 to 4000001",
      });
    }
  });
});
