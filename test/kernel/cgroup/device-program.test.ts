/** The device program in the kernel: loaded past the verifier, attached to a version 2 group, and obeyed. */
import { describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attachedDevicePrograms } from "../../../ffi/bpf.ts";
import { applyDeviceRules } from "../../../src/cgroup/devices.ts";
import { unifiedDirectory } from "../../../src/cgroup/processes.ts";
import type { Cgroup } from "../../../src/cgroup/types.ts";
import type { DeviceRule } from "../../../src/oci/runtime.ts";
import { noCgroups, type TestCgroup, testCgroup } from "../../helpers/cgroup.ts";

/** The group as on a machine with nothing but version 2. */
function unifiedOnly({ cgroup }: TestCgroup): Cgroup | undefined {
  const directory = unifiedDirectory(cgroup);
  if (directory === undefined) return undefined;
  const mount = directory.slice(0, -cgroup.path.length);
  return { layout: { version: 2, mount }, path: cgroup.path, directories: [directory] };
}

function attached({ directories: [directory = ""] }: Cgroup): number {
  const fd = openSync(directory, "r");
  try {
    return attachedDevicePrograms(fd).length;
  } finally {
    closeSync(fd);
  }
}

/** What a shell in the group reports of opening nodes of /dev/kmsg (1:11), which opening does not disturb, and of /dev/null. */
async function tryDevices(group: TestCgroup): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "devices-"));
  const script = `
    cd ${directory} || exit 1
    try() { if "$@" 2>/dev/null; then echo ok; else echo no; fi; }
    try mknod null c 1 3
    try sh -c ': < null'; try sh -c ': > null'
    try mknod kmsg c 1 11
    try sh -c ': < kmsg'; try sh -c ': > kmsg'; try sh -c ': <> kmsg'
  `;
  try {
    const child = await group.run(script);
    return (await new Response(child.stdout).text()).trim().split("\n").join(" ");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe.skipIf(noCgroups !== undefined)("as root", () => {
  test.each<[string, readonly DeviceRule[], string]>([
    ["no rules", [], "ok ok ok ok no no no"],
    ["everything", [{ allow: true, access: "rwm" }], "ok ok ok ok ok ok ok"],
    [
      "one device, read only",
      [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: 11, access: "r" },
      ],
      "ok ok ok ok ok no no",
    ],
    [
      "all but writing to one",
      [
        { allow: true, access: "rwm" },
        { allow: false, type: "c", major: 1, minor: 11, access: "w" },
      ],
      "ok ok ok ok ok no no",
    ],
  ])("%s", async (_, rules, expected) => {
    await using group = testCgroup("bpf");
    const cgroup = unifiedOnly(group);
    if (cgroup === undefined) return;
    expect(applyDeviceRules(cgroup, rules, false)).toEqual([]);
    expect(await tryDevices(group)).toBe(expected);
  });

  test("new rules replace the old ones", async () => {
    await using group = testCgroup("bpf-again");
    const cgroup = unifiedOnly(group);
    if (cgroup === undefined) return;
    applyDeviceRules(cgroup, [], false);
    applyDeviceRules(cgroup, [{ allow: true, type: "c", major: 1, minor: 11, access: "rw" }], false);
    expect(attached(cgroup)).toBe(1);
    expect(await tryDevices(group)).toBe("ok ok ok ok ok ok ok");
    applyDeviceRules(cgroup, [{ allow: true, access: "rwm" }], false);
    expect(attached(cgroup)).toBe(1);
  });

  test("a container that may use everything costs no program", async () => {
    await using group = testCgroup("bpf-none");
    const cgroup = unifiedOnly(group);
    if (cgroup === undefined) return;
    applyDeviceRules(cgroup, [{ allow: false }, { allow: true, access: "rwm" }], false);
    expect(attached(cgroup)).toBe(0);
  });

  test("four hundred rules pass the verifier", async () => {
    await using group = testCgroup("bpf-many");
    const cgroup = unifiedOnly(group);
    if (cgroup === undefined) return;
    const rules = Array.from(
      { length: 400 },
      (_, minor): DeviceRule => ({ allow: minor % 2 === 0, type: "b", major: 8, minor, access: "rw" }),
    );
    applyDeviceRules(cgroup, rules, false);
    expect(attached(cgroup)).toBe(1);
  });
});
