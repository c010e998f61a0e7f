/** Who opens which mounts beforehand, and the order of those steps; what they do is proven on the kernel. */
import { describe, expect, test } from "bun:test";
import { explain } from "../../../src/launch/explain.ts";
import { beginPlan } from "../../../src/launch/plan.ts";
import type { IdMap, RuntimeMount } from "../../../src/oci/runtime.ts";
import { closeSources, mountsToOpen, type Opening, openSources } from "../../../src/sandbox/idmapped.ts";
import { failureOf } from "../../helpers/failure.ts";

const map = (hostID: number): IdMap => ({
  uid: [{ containerID: 0, hostID, size: 65_536 }],
  gid: [{ containerID: 0, hostID, size: 65_536 }],
});
const bind: RuntimeMount = { destination: "/b", source: "/srv/b", options: ["rbind"] };
const idmapped: RuntimeMount = { destination: "/i", source: "/srv/i", options: ["bind", "idmap"] };
const withMap: RuntimeMount = { ...bind, destination: "/w", uidMappings: map(7).uid, gidMappings: map(7).gid };
const others: RuntimeMount[] = [
  { destination: "/t", type: "tmpfs", options: ["idmap"] },
  { destination: "/b", type: "none", options: ["bind", "remount", "ro"] },
];
const opening = (changes: Partial<Opening>): Opening => ({
  namespaces: [{ type: "mount" }, { type: "user" }],
  mounts: [bind, idmapped, withMap, ...others],
  root: "/srv/root",
  idMap: map(0),
  uid: 0,
  ...changes,
});

describe("what the launcher opens", () => {
  test("nothing for an ordinary user, nor without a user namespace", () => {
    expect(mountsToOpen(opening({ uid: 1000, idMap: map(100_000) }))).toEqual([]);
    expect(mountsToOpen(opening({ namespaces: [{ type: "mount" }], idMap: undefined }))).toEqual([]);
  });

  test("binds with an id map, for root of the host", () => {
    expect(mountsToOpen(opening({}))).toEqual([idmapped, withMap]);
  });

  test("every source and the root, where the box's root is somebody else", () => {
    const root = { destination: "/", source: "/srv/root", options: ["rbind"] };
    for (const idMap of [map(100_000), undefined])
      expect(mountsToOpen(opening({ idMap }))).toEqual([root, idmapped, withMap, bind]);
    expect(mountsToOpen(opening({ idMap: map(100_000), root: undefined }))).toEqual([idmapped, withMap, bind]);
  });

  test("no more than there are numbers for, those with a map first", () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ ...bind, destination: `/${i}` }));
    const opened = mountsToOpen(opening({ idMap: map(100_000), mounts: [...many, idmapped] }));
    expect(opened).toHaveLength(60);
    expect(opened).toContain(idmapped);
  });
});

describe("the steps", () => {
  const lines = (mounts: readonly RuntimeMount[], idMap: IdMap | undefined = map(100_000)): readonly string[] => {
    const plan = beginPlan("open sources");
    openSources(plan, mounts, idMap);
    closeSources(plan, mounts.length);
    return explain(plan.finish());
  };

  test("one user namespace for each map, however many mounts have it", () => {
    const clones = (...mounts: readonly RuntimeMount[]) =>
      lines(mounts).filter((line) => line.includes("CLONE_NEWUSER")).length;
    expect(clones(bind)).toBe(0);
    expect(clones(idmapped, { ...idmapped, destination: "/j" })).toBe(1);
    expect(clones(idmapped, withMap)).toBe(2);
  });

  test("each is kept at its number, closed at exec, and closed on the launcher's side", () => {
    const text = lines([idmapped, bind]).join("\n");
    for (const number of [200, 201]) expect(text).toMatch(new RegExp(`dup3\\(\\$\\d+, ${number}, O_CLOEXEC\\)`));
    expect(text).toContain("close_range(200, 201, 0)");
  });

  test("half a map, none at all, too many", () => {
    const half: RuntimeMount = { ...idmapped, uidMappings: map(0).uid };
    expect(failureOf(() => lines([half])).message).toContain("both uidMappings and gidMappings");
    const plan = beginPlan("open sources");
    expect(failureOf(() => openSources(plan, [idmapped], undefined)).code).toBe("BAD_CONFIG");
    expect(failureOf(() => lines(Array.from({ length: 61 }, () => idmapped))).code).toBe("BAD_CONFIG");
  });
});
