import { expect, test } from "bun:test";
import fc from "fast-check";
import { highestContiguousId, toContainerId, toHostId } from "../../../src/oci/id-map.ts";

const map = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 10 },
  { containerID: 50, hostID: 500_000, size: 5 },
];

test("there and back is the identity", () => {
  fc.assert(
    fc.property(fc.nat(60), (id) => {
      const host = toHostId(map, id);
      expect(host === undefined ? undefined : toContainerId(map, host)).toBe(host === undefined ? undefined : id);
    }),
  );
});

test("edges of the extents", () => {
  expect([0, 1, 10, 11, 49, 50, 54, 55].map((id) => toHostId(map, id))).toEqual([
    1000,
    100_000,
    100_009,
    undefined,
    undefined,
    500_000,
    500_004,
    undefined,
  ]);
  expect(toContainerId(map, 0)).toBeUndefined();
});

test("ids from 0 without a gap", () => {
  expect(highestContiguousId(map)).toBe(10);
  expect(highestContiguousId([])).toBe(-1);
  expect(highestContiguousId([{ containerID: 1, hostID: 0, size: 1 }])).toBe(-1);
});
