/** devbox run --explain: the plan in words, and nothing done. */
import { expect, test } from "bun:test";
import { boxesOnDisk, boxHome } from "../helpers/box.ts";

const { home, image } = boxHome();

/** The labels of the steps, each once, in order. */
const steps = async (...flags: string[]): Promise<readonly string[]> => {
  const plan = await home.ok(["run", "--explain", "--network=none", ...flags, image, "true"]);
  const labels = plan.split("\n").flatMap((line) => line.match(/^ *\d+ {2}([^:[]+): /)?.[1] ?? []);
  return [...new Set(labels)];
};

test("names every namespace, mount, mask, capability and filter in the order in which they are made", async () => {
  const labels = await steps();
  const order = [
    "create the namespaces of the box",
    "mount overlay on the root",
    "mount proc on /proc",
    "mount tmpfs on /dev",
    "mount sysfs on /sys",
    "mount devpts on /dev/pts",
  ];
  expect(labels.filter((label) => order.includes(label))).toEqual(order);
  const plan = await home.ok(["run", "--explain", "--network=none", image, "true"]);
  for (const part of ["pivot_root", "seccomp", "capset", "/proc/kcore", "execve", "CLONE_NEWUSER", "CLONE_NEWNET"]) {
    expect(plan).toContain(part);
  }
});

test("shows what a flag changes", async () => {
  expect(await home.ok(["run", "--explain", "--network=host", image, "true"])).not.toContain("CLONE_NEWNET");
  expect(await steps("--tmpfs", "/t")).toContain("mount tmpfs on /t");
  expect(await steps()).not.toContain("mount tmpfs on /t");
});

test("does nothing", async () => {
  await home.ok(["run", "--explain", "--network=none", "--name", "planned", image, "true"]);
  expect(boxesOnDisk(home)).toEqual([]);
});
