/** What the planner of a box must be told about the host, looked up: nodes of devices, trees of control groups. */
import { posix } from "node:path";
import type { Cgroup } from "../cgroup/types.ts";
import { findDeviceNode } from "../host/device-node.ts";
import type { LinuxDevice } from "../oci/runtime.ts";
import type { CgroupTree } from "../sandbox/input.ts";

/** For each device of config.json, where the host has it (`SandboxInput.deviceSources`). */
export function deviceSources(devices: readonly LinuxDevice[]): readonly (string | undefined)[] {
  return devices.map(({ type, path, major, minor }) =>
    type === "p" || major === undefined || minor === undefined
      ? undefined
      : findDeviceNode({ type: type === "b" ? "b" : "c", major, minor }, path),
  );
}

/**
 * What a mount of type cgroup shows for a container on version 1 (`SandboxInput.cgroupTrees`): the trees in which it has a
 * group. Empty on version 2.
 */
export function cgroupTrees({ layout, directories }: Pick<Cgroup, "layout" | "directories">): readonly CgroupTree[] {
  if (layout.version === 2) return [];
  const controllers = new Map<string, string[]>();
  for (const [controller, mount] of Object.entries(layout.mounts))
    controllers.set(mount, [...(controllers.get(mount) ?? []), controller]);
  const trees = [...controllers].map(([mount, names]) => ({ mount, version: 1, names }) as const);
  const unified = layout.unified === undefined ? [] : [{ mount: layout.unified, version: 2, names: [] } as const];
  return [...trees, ...unified].flatMap(({ mount, version, names }) => {
    const directory = directories.find((each) => each === mount || each.startsWith(`${mount}/`));
    return directory === undefined ? [] : [{ name: posix.basename(mount), version, controllers: names, directory }];
  });
}
