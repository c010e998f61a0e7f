import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HostFacts, IdRange } from "../../../src/host/facts.ts";
import { defaultIdMap, mapRanges } from "../../../src/host/id-map.ts";
import { toHostId } from "../../../src/oci/id-map.ts";
import { laptop } from "../../helpers/bundle-input.ts";
import { failureOf } from "../../helpers/failure.ts";

const all = [{ start: 0, count: 2 ** 32 - 1 }];
const root: HostFacts = {
  ...laptop,
  uid: 0,
  gid: 0,
  userName: "root",
  subuids: [],
  subgids: [],
  ownUids: all,
  ownGids: all,
};

describe("the usual laptop", () => {
  test("container 0 is the user, 1 and up the subordinate ids", () => {
    const extents = [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 100_000, size: 65_535 },
    ];
    expect(defaultIdMap(laptop)).toEqual({ uid: extents, gid: extents });
  });

  test("several ranges follow each other; a small one gives what it has", () => {
    expect(
      mapRanges(1000, [
        { start: 500, count: 10 },
        { start: 200_000, count: 5 },
      ]),
    ).toEqual([
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 500, size: 10 },
      { containerID: 11, hostID: 200_000, size: 5 },
    ]);
  });

  test("a range that has the user in it goes around", () => {
    expect(mapRanges(1000, [{ start: 999, count: 3 }])).toEqual([
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 999, size: 1 },
      { containerID: 2, hostID: 1001, size: 1 },
    ]);
  });
});

describe("root", () => {
  test("without a range maps ids to themselves, and needs no helper", () => {
    const identity = [{ containerID: 0, hostID: 0, size: 65_536 }];
    const helpers = { newuidmap: undefined, newgidmap: undefined, slirp4netns: undefined };
    expect(defaultIdMap({ ...root, helpers })).toEqual({ uid: identity, gid: identity });
  });

  test("inside another container: the ids that it has, an extent each as the kernel wants it", () => {
    const ownUids = [
      { start: 0, count: 1 },
      { start: 1, count: 65_536 },
    ];
    expect(defaultIdMap({ ...root, ownUids, ownGids: [{ start: 0, count: 1 }] })).toEqual({
      uid: [
        { containerID: 0, hostID: 0, size: 1 },
        { containerID: 1, hostID: 1, size: 65_535 },
      ],
      gid: [{ containerID: 0, hostID: 0, size: 1 }],
    });
  });

  test("with a range uses it", () => {
    const ranges = [{ start: 100_000, count: 65_536 }];
    expect(defaultIdMap({ ...root, subuids: ranges, subgids: ranges }).uid.at(1)?.hostID).toBe(100_000);
  });
});

describe("what is missing is said, with the line that mends it", () => {
  test("no subuids, no subgids", () => {
    const error = failureOf(() => defaultIdMap({ ...laptop, subuids: [] }));
    expect(error.code).toBe("NO_SUBIDS");
    expect(error.because).toBe("/etc/subuid grants no ids to ada (uid 1000)");
    expect(error.hint).toMatch(/ sudo usermod --add-subuids (\d+-\d+) --add-subgids \1 ada$/);
    expect(failureOf(() => defaultIdMap({ ...laptop, subgids: [] })).because).toStartWith("/etc/subgid");
  });

  test("no newuidmap, no newgidmap", () => {
    const without = (name: "newuidmap" | "newgidmap"): HostFacts => ({
      ...laptop,
      helpers: { ...laptop.helpers, [name]: undefined },
    });
    const error = failureOf(() => defaultIdMap(without("newuidmap")));
    expect(error.code).toBe("NO_NEWUIDMAP");
    expect(error.hint).toMatch(/install/);
    expect(failureOf(() => defaultIdMap(without("newgidmap"))).because).toContain("newgidmap");
  });
});

const ranges: fc.Arbitrary<IdRange[]> = fc.array(
  fc.record({ start: fc.nat(3000), count: fc.integer({ min: 1, max: 70_000 }) }),
  { maxLength: 6 },
);

describe("laws of every map, whatever the ranges", () => {
  test("no id of host or box is mapped twice; the box's ids have no gap and end at 65535", () => {
    fc.assert(
      fc.property(fc.nat(2000), ranges, (own, granted) => {
        const map = mapRanges(own, granted);
        expect(toHostId(map, 0)).toBe(own);
        let next = 0;
        for (const { containerID, size } of map) {
          expect(containerID).toBe(next);
          next += size;
        }
        expect(next).toBeLessThanOrEqual(65_536);
        const byHost = [...map].sort((a, b) => a.hostID - b.hostID);
        for (const [i, extent] of byHost.entries()) {
          const following = byHost[i + 1];
          if (following !== undefined) expect(extent.hostID + extent.size).toBeLessThanOrEqual(following.hostID);
        }
      }),
    );
  });

  test("only granted ids are used, and all of them while there is room", () => {
    fc.assert(
      fc.property(fc.nat(2000), ranges, (own, granted) => {
        const allowed = new Set([own]);
        for (const { start, count } of granted) for (let id = start; id < start + count; id++) allowed.add(id);
        const map = mapRanges(own, granted);
        for (const { hostID, size } of map)
          for (const id of [hostID, hostID + size - 1]) expect(allowed.has(id)).toBe(true);
        const total = map.reduce((sum, { size }) => sum + size, 0);
        expect(total).toBe(Math.min(allowed.size, 65_536));
      }),
      { numRuns: 20 },
    );
  });
});
