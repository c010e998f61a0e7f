import { describe, expect, test } from "bun:test";
import type { RootfsPlan } from "../../../src/bundle/rootfs-plan.ts";
import { planLines } from "../../helpers/sandbox-plan.ts";

const layers = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `store/layers/${"d".repeat(64)}${i}/fs`);
const overlay = (count: number, volatile = true): RootfsPlan => ({
  kind: "overlay",
  lowers: layers(count),
  upper: "boxes/1/upper",
  work: "boxes/1/work",
  volatile,
});
const optionsOf = (lines: readonly string[]): string =>
  /"overlay", 0, "([^"]*)"/.exec(lines.find((line) => line.startsWith("mount overlay")) ?? "")?.[1] ?? "";

describe("options of overlayfs", () => {
  test("in one page: paths relative to the store, which is entered before", () => {
    const lines = planLines({ rootfs: overlay(2) });
    expect(optionsOf(lines)).toBe(
      `lowerdir=${layers(2).join(":")},upperdir=boxes/1/upper,workdir=boxes/1/work,userxattr,volatile`,
    );
    const enter = lines.findIndex((line) => line.includes('chdir("/data/devbox")'));
    expect(enter).toBeGreaterThan(-1);
    expect(enter).toBeLessThan(lines.findIndex((line) => line.startsWith("mount overlay")));
  });

  test("a box that is kept syncs: not volatile", () => {
    expect(optionsOf(planLines({ rootfs: overlay(1, false) }))).toEndWith(",userxattr");
  });

  test.each([100, 500])(
    "%i layers: descriptors, by number from inside /proc/self/fd, closed after the mount",
    (count) => {
      const lines = planLines({ rootfs: overlay(count) });
      const options = optionsOf(lines);
      const numbers = Array.from({ length: count }, (_, i) => 300 + i);
      expect(options).toBe(
        `lowerdir=${numbers.join(":")},upperdir=${300 + count},workdir=${301 + count},userxattr,volatile`,
      );
      // mount(2) takes a page with its NUL.
      expect(options.length).toBeLessThan(4096);
      const mount = lines.findIndex((line) => line.startsWith("mount overlay"));
      expect(lines[mount - 1]).toContain('chdir("/proc/self/fd")');
      expect(lines[mount + 1]).toContain(`close_range(300, ${301 + count}, 0)`);
    },
  );

  test("every layer is opened, in order, and gets its number", () => {
    const lines = planLines({ rootfs: overlay(60) });
    const opened = lines.flatMap((line) => /^open the layer (\S+): dup3\(\$\d+, (\d+),/.exec(line)?.slice(1, 3) ?? []);
    const expected = [...layers(60), "boxes/1/upper", "boxes/1/work"].flatMap((path, i) => [path, String(300 + i)]);
    expect(opened).toEqual(expected);
  });

  test("the longest that fits into a page needs no descriptors, one byte more does", () => {
    const fits = (length: number) => {
      const rootfs: RootfsPlan = { ...overlay(0), lowers: ["x".repeat(length)] } as RootfsPlan;
      return optionsOf(planLines({ rootfs }));
    };
    const rest = fits(1).length - 1;
    expect(fits(4095 - rest)).toHaveLength(4095);
    expect(fits(4096 - rest)).toStartWith("lowerdir=300,");
  });
});

test("a directory is cloned with all below it and mounted by descriptor", () => {
  const lines = planLines({ rootfs: { kind: "directory", path: "/srv/tree" } });
  const clone = lines.find((line) => line.includes('open_tree(AT_FDCWD, "/srv/tree"')) ?? "";
  expect(clone).toContain("AT_RECURSIVE");
  const slot = /=> (\$\d+)/.exec(clone)?.[1] ?? "none";
  expect(
    lines.some((line) =>
      line.includes(`move_mount(${slot}, "", AT_FDCWD, "/mnt/box", MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_SYMLINKS)`),
    ),
  ).toBe(true);
});
