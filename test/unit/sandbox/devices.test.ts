import { expect, test } from "bun:test";
import { deviceNumber } from "../../../src/sandbox/devices.ts";
import { plainConfig, planLines } from "../../helpers/sandbox-plan.ts";

test.each([
  [1, 3, 0x103],
  [5, 2, 0x502],
  [10, 229, 0xae5],
  [7, 300, 0x10072c],
  [250, 70_000, 0x1110fa70],
  [0xfff, 0xfffff, 0xffffffff],
])("%i:%i as the kernel has it", (major, minor, number) => {
  expect(deviceNumber(major, minor)).toBe(number);
});

test("with a user namespace no umask is changed, unless there is a FIFO to make", () => {
  const umasks = (devices: (typeof plainConfig)["linux"]["devices"]) =>
    planLines({ config: { ...plainConfig, linux: { ...plainConfig.linux, devices: devices ?? [] } } }).filter((line) =>
      line.includes(": umask("),
    ).length;
  const before = umasks([]);
  expect(umasks([{ type: "c", path: "/dev/fuse", major: 10, minor: 229 }])).toBe(before);
  expect(umasks([{ type: "p", path: "/run/fifo" }])).toBe(before + 2);
});
