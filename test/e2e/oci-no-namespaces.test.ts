/** devbox oci: a container without namespaces of its own. It is in the machine's, whose mounts stay as they are. */
import { expect, test } from "bun:test";
import { readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openOciRuntime } from "../helpers/oci-runtime.ts";

const isRoot = process.getuid?.() === 0;
const types = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];

const namespacesOf = (pid: number | "self"): readonly string[] =>
  types.map((type) => readlinkSync(`/proc/${pid}/ns/${type}`));

/** Below `directory`: other tests mount elsewhere at the same time. */
const mountsIn = (directory: string): readonly string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(directory));

test.skipIf(!isRoot)("it leaves a bundle that can be removed, and nothing was ever mounted there", async () => {
  await using oci = await openOciRuntime();
  const bundle = await oci.bundle(["sh", "-c", "ls -d /proc/self /dev/null /sys/kernel > /seen"], (config) => {
    config.linux = {};
    delete config.hostname;
  });
  // What removes the bundle would go on in the machine's /proc and /sys, should they be there after all.
  using undo = new DisposableStack();
  undo.defer(() => {
    if (mountsIn(bundle).length > 0) Bun.spawnSync(["umount", "--recursive", "--lazy", join(bundle, "rootfs")]);
  });
  const id = oci.id();
  await oci.ok(["create", "--bundle", bundle, id]);
  expect(namespacesOf((await oci.state(id)).pid)).toEqual(namespacesOf("self"));
  expect(mountsIn(bundle)).toEqual([]);
  await oci.ok(["start", id]);
  await oci.reaches(id, "stopped");
  expect(readFileSync(join(bundle, "rootfs/seen"), "utf8")).toBe("/dev/null\n/proc/self\n/sys/kernel\n");
  expect(mountsIn(bundle)).toEqual([]);
  await oci.ok(["delete", id]);
  rmSync(bundle, { recursive: true });
});
