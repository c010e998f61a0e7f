import { describe, expect, test } from "bun:test";
import { features } from "../../../src/oci/features.ts";
import { parseRuntimeConfig } from "../../../src/oci/parse-runtime.ts";
import { formatRuntimeConfig } from "../../../src/oci/runtime-json.ts";
import { specConfig } from "../../../src/oci/spec-config.ts";

const ids = (size: number) => [{ containerID: 0, hostID: 1000, size }];
const idMap = (size: number) => ({ uid: ids(size), gid: ids(size) });

describe("the config to begin with", () => {
  test.each([
    ["of root", { rootless: false }],
    ["of a user", { rootless: true, idMap: idMap(65_536) }],
    ["of a user with one id", { rootless: true, idMap: idMap(1) }],
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
    expect(ptsOf({ rootless: false })).toContain("gid=5");
    expect(ptsOf({ rootless: true, idMap: idMap(6) })).toContain("gid=5");
    expect(ptsOf({ rootless: true, idMap: idMap(5) })).not.toContain("gid=5");
  });

  test("a user has a user namespace, and the host's network and /sys", () => {
    const { linux, mounts } = specConfig({ rootless: true, idMap: idMap(1) });
    expect(linux.namespaces.map(({ type }) => type)).toEqual(["pid", "ipc", "uts", "mount", "cgroup", "user"]);
    expect(linux.uidMappings).toEqual(ids(1));
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
