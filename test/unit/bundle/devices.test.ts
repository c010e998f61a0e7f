import { expect, test } from "bun:test";
import { deviceMount } from "../../../src/bundle/devices.ts";
import { failureOf } from "../../helpers/failure.ts";

test("a device is the host's node, where it is wanted", () => {
  expect(deviceMount({ source: "/dev/fuse", target: "/dev/other", permissions: "rwm" })).toEqual({
    destination: "/dev/other",
    type: "bind",
    source: "/dev/fuse",
    options: ["rbind", "rprivate", "nosuid", "noexec"],
  });
});

test("rights that cannot be enforced are refused", () => {
  expect(deviceMount({ source: "/dev/kvm", target: "/dev/kvm", permissions: "rw" }).source).toBe("/dev/kvm");
  for (const permissions of ["r", "w", "rm", ""]) {
    expect(failureOf(() => deviceMount({ source: "/dev/kvm", target: "/dev/kvm", permissions })).code).toBe(
      "BAD_CONFIG",
    );
  }
});
