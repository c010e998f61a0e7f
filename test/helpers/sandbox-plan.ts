/** Plans of the sandbox as text, for tests of what must come before what. */
import { explain } from "../../src/launch/explain.ts";
import type { RuntimeConfig } from "../../src/oci/runtime.ts";
import type { SandboxInput } from "../../src/sandbox/input.ts";
import { planBox } from "../../src/sandbox/plan-create.ts";
import { laptop } from "./bundle-input.ts";

export const plainConfig: RuntimeConfig = {
  ociVersion: "1.0.2",
  root: { path: "rootfs" },
  process: {
    cwd: "/work",
    args: ["sh"],
    env: ["PATH=/bin"],
    user: { uid: 1000, gid: 1000, additionalGids: [44, 29] },
    capabilities: {
      bounding: ["CAP_CHOWN"],
      effective: ["CAP_CHOWN"],
      permitted: ["CAP_CHOWN"],
      inheritable: [],
      ambient: [],
    },
  },
  hostname: "box",
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    { destination: "/dev/pts", type: "devpts", source: "devpts" },
    { destination: "/data", type: "bind", source: "/home/ada/data", options: ["rbind"] },
  ],
  linux: {
    namespaces: (["user", "mount", "pid", "ipc", "uts", "cgroup", "network"] as const).map((type) => ({ type })),
    maskedPaths: ["/proc/keys"],
    readonlyPaths: ["/proc/sys"],
    sysctl: { "net.ipv4.ip_default_ttl": "33" },
  },
};

export function sandboxInput(changes: Partial<SandboxInput> = {}): SandboxInput {
  return {
    config: plainConfig,
    rootfs: { kind: "overlay", lowers: ["l"], upper: "u", work: "w", volatile: true },
    storeRoot: "/data/devbox",
    mountpoint: "/mnt/box",
    facts: laptop,
    idMap: {
      uid: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
      gid: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
    },
    sourceKinds: new Map([["/home/ada/data", "directory"]]),
    pipes: [],
    gates: {},
    init: false,
    ...changes,
  };
}

/** The operations in order, without their numbers, marks and jumps. */
export function planLines(changes: Partial<SandboxInput> = {}): readonly string[] {
  return explain(planBox(sandboxInput(changes)))
    .filter((line) => /^ *\d/.test(line))
    .map((line) => line.replace(/^ *\d+ {2}/, ""))
    .filter((line) => !/^(?:\[|go to )/.test(line));
}
