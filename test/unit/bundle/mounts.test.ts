import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { combineMounts, defaultMounts, defaultSysctls, requestedMount } from "../../../src/bundle/mounts.ts";
import type { IdMap, RuntimeMount } from "../../../src/oci/runtime.ts";
import { runOptions } from "../../helpers/bundle-input.ts";

const ids = (count: number): IdMap => {
  const extents = [{ containerID: 0, hostID: 1000, size: count }];
  return { uid: extents, gid: extents };
};
const at = (mounts: readonly RuntimeMount[], destination: string): RuntimeMount | undefined =>
  mounts.find((mount) => mount.destination === destination);

describe("defaults", () => {
  const mounts = defaultMounts(runOptions({ shmSizeBytes: 1024 }), ids(65_536));

  test("docker's seven", () => {
    expect(mounts.map(({ destination, type }) => `${type} ${destination}`)).toEqual([
      "proc /proc",
      "tmpfs /dev",
      "devpts /dev/pts",
      "tmpfs /dev/shm",
      "mqueue /dev/mqueue",
      "sysfs /sys",
      "cgroup /sys/fs/cgroup",
    ]);
    expect(at(mounts, "/dev/shm")?.options).toContain("size=1024");
    expect(at(mounts, "/sys")?.options).toContain("ro");
    expect(at(mounts, "/sys/fs/cgroup")?.options).toContain("ro");
  });

  test("terminals belong to group 5 only where there is one", () => {
    expect(at(mounts, "/dev/pts")?.options).toContain("gid=5");
    expect(at(defaultMounts(runOptions(), ids(5)), "/dev/pts")?.options?.join()).not.toContain("gid=");
  });

  test("the host's /sys on the host's network", () => {
    const sys = at(defaultMounts(runOptions({ network: "host" }), ids(1)), "/sys");
    expect(sys).toEqual({
      destination: "/sys",
      type: "bind",
      source: "/sys",
      options: ["rbind", "rprivate", "nosuid", "noexec", "nodev", "rro"],
    });
  });

  test("a privileged box may write", () => {
    for (const { options } of defaultMounts(runOptions({ privileged: true }), ids(1)))
      expect(options).not.toContain("ro");
  });

  test("sysctls, which the host's network keeps", () => {
    expect(defaultSysctls("none", ids(100))).toEqual({
      "net.ipv4.ip_unprivileged_port_start": "0",
      "net.ipv4.ping_group_range": "0 99",
    });
    expect(defaultSysctls("host", ids(100))).toEqual({});
  });
});

describe("what is asked for", () => {
  const surroundings = {
    imageMode: () => undefined,
    isHostFile: (path: string) => path === "/file",
    storeRoot: "/store",
  };
  const bind = {
    kind: "bind",
    source: "/dir",
    target: "/t",
    readonly: false,
    createSource: false,
    recursive: true,
  } as const;

  test.each([
    [bind, ["rbind", "rprivate"]],
    [{ ...bind, readonly: true }, ["rbind", "rprivate", "rro"]],
    [{ ...bind, readonly: true, source: "/file" }, ["rbind", "rprivate", "ro"]],
    [{ ...bind, readonly: true, recursive: false }, ["bind", "rprivate", "ro"]],
    [{ ...bind, propagation: "rshared" }, ["rbind", "rshared"]],
  ])("bind %#", (request, options) => expect(requestedMount(request, surroundings).options).toEqual(options));

  test("a volume with a name is a directory of the store", () => {
    const volume = { kind: "volume", name: "data", target: "/t", readonly: true, noCopy: false } as const;
    expect(requestedMount(volume, surroundings)).toEqual({
      destination: "/t",
      type: "bind",
      source: "/store/volumes/data/_data",
      options: ["rbind", "rprivate", "rro"],
    });
  });

  test("a tmpfs is closed until opened, and keeps the mode of what it covers", () => {
    const tmpfs = { kind: "tmpfs", target: "/t", options: ["exec"] } as const;
    expect(requestedMount(tmpfs, surroundings).options).toEqual(["nosuid", "nodev", "noexec", "exec"]);
    const covering = { ...surroundings, imageMode: () => 0o1777 };
    expect(requestedMount(tmpfs, covering).options).toContain("mode=1777");
    expect(requestedMount({ ...tmpfs, options: ["mode=700"] }, covering).options).toEqual([
      "nosuid",
      "nodev",
      "noexec",
      "mode=700",
    ]);
  });
});

describe("combining", () => {
  const mount = (destination: string, source = "x"): RuntimeMount => ({ destination, source });
  const destinations = (mounts: readonly RuntimeMount[]): string[] => mounts.map(({ destination }) => destination);

  test("parents first, the later of two wins", () => {
    const combined = combineMounts(
      [mount("/proc"), mount("/a/b", "old")],
      [mount("/a/b", "new"), mount("/a"), mount("/a/b/c")],
    );
    expect(destinations(combined)).toEqual(["/proc", "/a", "/a/b", "/a/b/c"]);
    expect(at(combined, "/a/b")?.source).toBe("new");
  });

  test("who brings /dev brings what is in it", () => {
    expect(
      destinations(
        combineMounts([mount("/dev"), mount("/dev/pts")], [mount("/dev", "mine"), mount("/dev/shm", "mine")]),
      ),
    ).toEqual(["/dev", "/dev/shm"]);
  });

  test("law: no place twice, none before its parent", () => {
    const path = fc
      .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 })
      .map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(fc.array(path), fc.array(path), (defaults, further) => {
        const order = destinations(
          combineMounts(
            defaults.map((each) => mount(each)),
            further.map((each) => mount(each)),
          ),
        );
        expect(new Set(order)).toEqual(new Set([...defaults, ...further]));
        expect(new Set(order).size).toBe(order.length);
        for (const [i, child] of order.entries()) {
          for (const later of order.slice(i)) expect(child.startsWith(`${later}/`)).toBe(false);
        }
      }),
    );
  });
});
