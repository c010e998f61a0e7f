import { describe, expect, test } from "bun:test";
import { protectedPaths } from "../../../src/bundle/masks.ts";
import { runOptions } from "../../helpers/bundle-input.ts";

const withSecurity = (security: { unmask?: string[]; mask?: string[] }): ReturnType<typeof protectedPaths> =>
  protectedPaths(
    runOptions({ security: { noNewPrivileges: false, seccomp: "default", unmask: [], mask: [], ...security } }),
  );

describe("masked and read-only paths", () => {
  test("docker's lists", () => {
    const { masked, readonly } = withSecurity({});
    expect(masked).toContain("/proc/kcore");
    expect(masked).toContain("/sys/firmware");
    expect(readonly).toEqual(["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
  });

  test("none for a privileged box", () => {
    expect(protectedPaths(runOptions({ privileged: true }))).toEqual({ masked: [], readonly: [] });
  });

  test("unmask=ALL takes all but what mask= adds", () => {
    expect(withSecurity({ unmask: ["ALL"], mask: ["/secret"] })).toEqual({ masked: ["/secret"], readonly: [] });
  });

  test("unmask by path and by pattern, which does not cross a slash", () => {
    const { masked, readonly } = withSecurity({ unmask: ["/proc/kcore", "/proc/s*"] });
    expect(masked).not.toContain("/proc/kcore");
    expect(masked).not.toContain("/proc/scsi");
    expect(readonly).not.toContain("/proc/sys");
    expect(masked).toContain("/proc/keys");
    expect(withSecurity({ unmask: ["/*"] }).masked).toContain("/proc/keys");
    expect(withSecurity({ unmask: ["/proc.keys"] }).masked).toContain("/proc/keys");
  });

  test("a path is masked once", () => {
    const { masked } = withSecurity({ mask: ["/proc/keys"] });
    expect(masked.filter((path) => path === "/proc/keys")).toHaveLength(1);
  });
});
