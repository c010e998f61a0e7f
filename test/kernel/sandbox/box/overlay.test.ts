/** Boxes on overlayfs: few layers, and more than a page of options can name. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RootfsPlan } from "../../../../src/bundle/rootfs-plan.ts";
import { boxInput, failure, openWorkshop, output } from "../../../helpers/busybox-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

/** A stack of layers, each with a file of its own, a file that all have, and busybox at the bottom. */
function stack(name: string, count: number): Extract<RootfsPlan, { kind: "overlay" }> {
  // Names as long as the store's: 128 bytes a layer.
  const lowers = Array.from({ length: count }, (_, i) => `${name}/${String(i).padStart(100, "l")}`);
  for (const [i, lower] of lowers.entries()) {
    mkdirSync(join(workshop.path, lower, "each"), { recursive: true });
    writeFileSync(join(workshop.path, lower, `each/${i}`), "");
    writeFileSync(join(workshop.path, lower, "top"), String(i));
  }
  for (const part of ["upper", "work"]) mkdirSync(join(workshop.path, name, part));
  return { kind: "overlay", lowers: [...lowers, "root"], upper: `${name}/upper`, work: `${name}/work`, volatile: true };
}

test.each([1, 20, 127, 400])(
  "%i layers: all are there, the first is on top, what is written lands in the upper",
  async (count) => {
    const rootfs = stack(`stack-${count}`, count);
    const script = "ls /each | wc -l; cat /top; echo new > /each/new; echo changed > /top";
    expect(await output(workshop, script, { rootfs })).toBe(`${count}\n0`);
    const upper = join(workshop.path, rootfs.upper);
    expect(readFileSync(join(upper, "each/new"), "utf8")).toBe("new\n");
    expect(readFileSync(join(upper, "top"), "utf8")).toBe("changed\n");
    expect(readFileSync(join(workshop.path, rootfs.lowers[0] ?? "", "top"), "utf8")).toBe("0");
  },
);

describe("layers are opened for the mount and closed at once (CVE-2024-21626)", () => {
  const numbers = Array.from({ length: 12 }, (_, i) => i + 3).concat([100, 101, 150, 227, 228]);
  // Mounted several times, which a volatile upper refuses.
  const rootfs = { ...stack("descriptors", 127), volatile: false };

  test.each(numbers)("/proc/self/fd/%i is no working directory", async (fd) => {
    for (const workdir of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../new`]) {
      const error = await failure(boxInput(workshop, ["/bin/ls"], { rootfs, options: { workdir } }));
      expect(error).toMatchObject({ code: "LAUNCH_FAILED" });
    }
  });

  test("nor is anything but the streams open in the box, whose command is PID 1", async () => {
    // `true` keeps ls from being PID 1 itself, with the directory that it reads.
    expect(await output(workshop, "ls /proc/1/fd; true", { rootfs })).toBe("0\n1\n2");
  });

  test("nor in PID 1 under --init, but for what it reads signals from", async () => {
    const script = "for fd in $(ls /proc/1/fd); do readlink /proc/1/fd/$fd; done";
    const printed = await output(workshop, script, { rootfs, options: { init: true } });
    const [stdin, , , ...further] = printed.split("\n");
    expect(stdin).toBe("/dev/null");
    expect(further).toEqual(["anon_inode:[signalfd]"]);
  });
});

test("a read-only root over layers", async () => {
  const rootfs = stack("readonly", 3);
  const options = { readonlyRoot: true, workdir: "/made/before" };
  const script = "echo x 2>/dev/null > /file || echo refused; pwd; echo y > /out/file && echo written";
  expect(await output(workshop, script, { rootfs, options })).toBe("refused\n/made/before\nwritten");
  expect(readdirSync(join(workshop.path, rootfs.upper))).not.toContain("file");
});
