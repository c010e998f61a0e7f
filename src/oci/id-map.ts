/** Looking ids up in a map of a user namespace (user_namespaces(7)). */
import type { IdMapping } from "./runtime.ts";

/** The host's id for an id of the box; undefined: not mapped. */
export function toHostId(map: readonly IdMapping[], containerId: number): number | undefined {
  const extent = map.find(({ containerID, size }) => containerId >= containerID && containerId < containerID + size);
  return extent === undefined ? undefined : extent.hostID + (containerId - extent.containerID);
}

/** The box's id for an id of the host; undefined: not mapped. */
export function toContainerId(map: readonly IdMapping[], hostId: number): number | undefined {
  const extent = map.find(({ hostID, size }) => hostId >= hostID && hostId < hostID + size);
  return extent === undefined ? undefined : extent.containerID + (hostId - extent.hostID);
}

/** The highest id that the box has when its ids start at 0 without a gap; -1: not even 0. */
export function highestContiguousId(map: readonly IdMapping[]): number {
  const sorted = [...map].sort((a, b) => a.containerID - b.containerID);
  let next = 0;
  for (const { containerID, size } of sorted) {
    if (containerID > next) break;
    next = Math.max(next, containerID + size);
  }
  return next - 1;
}
