/**
 * The default id map (user_namespaces(7)): container 0 ↔ the caller, 1… ↔ the caller's subordinate ids.
 * Layers on disk carry the owners of this map.
 */
import { DevboxError } from "../core/errors.ts";
import type { IdMap, IdMapping } from "../oci/runtime.ts";
import { installHint } from "./distribution.ts";
import type { HostFacts, IdRange } from "./facts.ts";
import { grantLine } from "./grant-ids.ts";

/** Ids of a box: 0…65535, of which nobody and nogroup are 65534. */
const ID_COUNT = 65536;

/** The kernel takes at most 340 extents (since 4.15); one is the caller's. */
const MAX_EXTENTS = 340;

/**
 * The map for boxes of this user.
 * @throws NO_SUBIDS, NO_NEWUIDMAP with the line that mends it.
 */
export function defaultIdMap(facts: HostFacts): IdMap {
  // root without a range of its own maps ids to themselves: it may write any map, and its files stay its own. Only
  // 65536 of them, not all 2^32: root inside another container often has no more, and the kernel refuses ids that
  // the parent namespace lacks.
  if (facts.uid === 0 && (facts.subuids.length === 0 || facts.subgids.length === 0)) {
    return { uid: mapToThemselves(facts.ownUids), gid: mapToThemselves(facts.ownGids) };
  }
  requireSubIds(facts);
  return { uid: mapRanges(facts.uid, facts.subuids), gid: mapRanges(facts.gid, facts.subgids) };
}

function requireSubIds({ subuids, subgids, userName, uid, helpers }: HostFacts): void {
  const step = "map the user ids of the box";
  const missing = subuids.length === 0 ? "/etc/subuid" : subgids.length === 0 ? "/etc/subgid" : undefined;
  if (missing !== undefined) {
    throw new DevboxError("NO_SUBIDS", {
      step,
      because: `${missing} grants no ids to ${userName} (uid ${uid})`,
      hint: `an administrator can grant ids: ${grantLine(userName)}`,
    });
  }
  const program =
    helpers.newuidmap === undefined ? "newuidmap" : helpers.newgidmap === undefined ? "newgidmap" : undefined;
  if (program === undefined || uid === 0) return;
  throw new DevboxError("NO_NEWUIDMAP", {
    step,
    because: `the program ${program} was not found`,
    hint: installHint("newuidmap"),
  });
}

/** An extent each: the kernel refuses one that is part of two extents of the parent namespace. */
function mapToThemselves(own: readonly IdRange[]): IdMapping[] {
  return own.slice(0, MAX_EXTENTS).flatMap(({ start, count }) => {
    const size = Math.min(count, ID_COUNT - start);
    return size > 0 ? [{ containerID: start, hostID: start, size }] : [];
  });
}

/**
 * Container 0 ↔ `own`, then the ranges one after the other. Host ids that are mapped already are left out: the kernel
 * refuses a map that names one twice.
 */
export function mapRanges(own: number, ranges: readonly IdRange[]): IdMapping[] {
  const extents: IdMapping[] = [{ containerID: 0, hostID: own, size: 1 }];
  let next = 1;
  for (const range of ranges) {
    for (const { start, count } of unmapped(range, extents)) {
      const size = Math.min(count, ID_COUNT - next);
      if (size <= 0 || extents.length === MAX_EXTENTS) return extents;
      extents.push({ containerID: next, hostID: start, size });
      next += size;
    }
  }
  return extents;
}

/** The parts of a range whose ids no extent has. */
function unmapped(range: IdRange, extents: readonly IdMapping[]): IdRange[] {
  let parts: IdRange[] = [range];
  for (const { hostID, size } of extents) {
    parts = parts.flatMap(({ start, count }) => {
      const [end, takenEnd] = [start + count, hostID + size];
      if (takenEnd <= start || hostID >= end) return [{ start, count }];
      const before = { start, count: Math.max(hostID - start, 0) };
      const after = { start: takenEnd, count: Math.max(end - takenEnd, 0) };
      return [before, after].filter((part) => part.count > 0);
    });
  }
  return parts;
}
