import { describe, expect, test } from "bun:test";
import { cgroupTrees, deviceSources } from "../../../src/runtime/sandbox-facts.ts";

describe("trees of control groups", () => {
  test("one for each mount of version 1, with its controllers, and the unified one beside", () => {
    const layout = {
      version: 1,
      mounts: {
        cpu: "/sys/fs/cgroup/cpu,cpuacct",
        cpuacct: "/sys/fs/cgroup/cpu,cpuacct",
        "name=systemd": "/sys/fs/cgroup/systemd",
        pids: "/sys/fs/cgroup/pids",
      },
      unified: "/sys/fs/cgroup/unified",
    } as const;
    const directories = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu,cpuacct/box", "/sys/fs/cgroup/systemd/a/box"];
    expect(cgroupTrees({ layout, directories })).toEqual([
      { name: "cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"], directory: "/sys/fs/cgroup/cpu,cpuacct/box" },
      { name: "systemd", version: 1, controllers: ["name=systemd"], directory: "/sys/fs/cgroup/systemd/a/box" },
      { name: "unified", version: 2, controllers: [], directory: "/sys/fs/cgroup/unified" },
    ]);
  });

  test("none on version 2", () => {
    expect(
      cgroupTrees({ layout: { version: 2, mount: "/sys/fs/cgroup" }, directories: ["/sys/fs/cgroup/box"] }),
    ).toEqual([]);
  });
});

describe("nodes of devices", () => {
  test("are found by their numbers, at their own path or where the kernel has them", () => {
    const full = { type: "c", path: "/dev/full", major: 1, minor: 7 } as const;
    expect(deviceSources([full, { ...full, path: "/dev/elsewhere" }, { ...full, path: "/dev/null" }])).toEqual(
      Array.from({ length: 3 }, () => "/dev/full"),
    );
  });

  test("not those that are of the other type, or that nobody has; FIFOs have none", () => {
    expect(
      deviceSources([
        { type: "b", path: "/dev/tty", major: 5, minor: 0 },
        { type: "c", path: "/dev/none", major: 250, minor: 4321 },
        { type: "p", path: "/run/fifo" },
      ]),
    ).toEqual([undefined, undefined, undefined]);
  });
});
