import { expect, test } from "bun:test";
import { cgroupOwner } from "../../../src/cgroup/delegate.ts";
import type { ParsedConfig, RuntimeMount } from "../../../src/oci/runtime.ts";

const mount: RuntimeMount = {
  destination: "/sys/fs/cgroup",
  type: "cgroup",
  source: "cgroup",
  options: ["rw", "nosuid"],
};
const process = { cwd: "/", env: [], args: ["sh"], user: { uid: 1000, gid: 0 } };
const uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

function owner(change: Partial<ParsedConfig["linux"]>, mounts: readonly RuntimeMount[] = [mount]): number | undefined {
  const linux = { namespaces: [{ type: "cgroup" as const }], ...change };
  return cgroupOwner({ ociVersion: "1.2.0", root: { path: "/" }, mounts, process, linux });
}

test("the container's user, as the host counts", () => {
  expect(owner({})).toBe(1000);
  expect(owner({ namespaces: [{ type: "cgroup" }, { type: "user" }], uidMappings })).toBe(101_000);
});

test("nobody, where it sees no group of its own, or may not write to it", () => {
  expect(owner({ namespaces: [] })).toBeUndefined();
  expect(owner({ namespaces: [{ type: "cgroup", path: "/proc/1/ns/cgroup" }] })).toBeUndefined();
  expect(owner({}, [])).toBeUndefined();
  expect(owner({}, [{ ...mount, options: ["ro"] }])).toBeUndefined();
  expect(owner({}, [{ ...mount, destination: "/cgroup" }])).toBeUndefined();
});

test("nobody, where the host's id is not known", () => {
  expect(
    owner({ namespaces: [{ type: "cgroup" }, { type: "user", path: "/proc/9/ns/user" }], uidMappings }),
  ).toBeUndefined();
  expect(owner({ namespaces: [{ type: "cgroup" }, { type: "user" }], uidMappings: [] })).toBeUndefined();
});
