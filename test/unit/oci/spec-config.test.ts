import { describe, expect, test } from "bun:test";
import { features } from "../../../src/oci/features.ts";
import { parseRuntimeConfig } from "../../../src/oci/parse-runtime.ts";
import { formatRuntimeConfig } from "../../../src/oci/runtime-json.ts";
import { specConfig } from "../../../src/oci/spec-config.ts";

const user = { uid: 1000, gid: 1001 };

describe("the config to begin with", () => {
  test.each([
    ["of root", { cgroupNamespace: true }],
    ["of root on version 1", { cgroupNamespace: false }],
    ["of a user", { cgroupNamespace: true, rootless: user }],
  ] as const)("%s is right, without warnings", (_, request) => {
    const config = specConfig(request);
    const warnings: string[] = [];
    const bytes = new TextEncoder().encode(formatRuntimeConfig(config));
    const parsed = parseRuntimeConfig(bytes, { path: "config.json", warn: (text) => warnings.push(text) });
    expect<unknown>(parsed).toEqual(config);
    expect(warnings).toEqual([]);
  });

  const ptsOf = (request: Parameters<typeof specConfig>[0]) =>
    specConfig(request).mounts.find(({ destination }) => destination === "/dev/pts")?.options;

  test("terminals belong to a group only where it is mapped", () => {
    expect(ptsOf({ cgroupNamespace: true })).toContain("gid=5");
    expect(ptsOf({ cgroupNamespace: true, rootless: user })).not.toContain("gid=5");
  });

  test("a user has a user namespace, and the host's network and /sys", () => {
    const { linux, mounts } = specConfig({ cgroupNamespace: false, rootless: user });
    expect(linux.namespaces.map(({ type }) => type)).toEqual(["pid", "ipc", "uts", "mount", "user"]);
    // Alone: engines and people add further ranges to it.
    expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }]);
    expect(linux.gidMappings).toEqual([{ containerID: 0, hostID: 1001, size: 1 }]);
    expect(linux.resources).toBeUndefined();
    expect(mounts.find(({ destination }) => destination === "/sys")).toMatchObject({ type: "none", source: "/sys" });
  });
});

test("features are what parsing takes", () => {
  const cgroup = { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true };
  const document = features({ specVersion: "1.2.1", mountOptions: ["ro", "bind"], cgroup, annotations: { a: "b" } });
  expect(document).toMatchObject({
    ociVersionMin: "1.0.0",
    ociVersionMax: "1.2.1",
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: ["bind", "ro"],
    linux: { cgroup, intelRdt: { enabled: false }, mountExtensions: { idmap: { enabled: true } } },
    annotations: { a: "b" },
  });
  const { namespaces, seccomp, capabilities } = document.linux;
  const config = {
    ociVersion: document.ociVersionMin,
    root: { path: "rootfs" },
    process: { cwd: "/", args: ["a"], capabilities: { bounding: capabilities } },
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: seccomp.archs,
        flags: seccomp.supportedFlags,
        listenerPath: "/run/agent",
        syscalls: [
          ...seccomp.actions.map((action) => ({ names: ["a"], action })),
          ...seccomp.operators.map((op) => ({
            names: ["a"],
            action: "SCMP_ACT_LOG",
            args: [{ index: 0, value: 0, op }],
          })),
        ],
      },
    },
  };
  const warnings: string[] = [];
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  parseRuntimeConfig(bytes, { path: "config.json", warn: (text) => warnings.push(text) });
  expect(warnings).toEqual([]);
});
