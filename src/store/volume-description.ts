/** A volume as `inspect` shows it: docker's shape (docker API, VolumeInspect). */
import type { Store } from "./types.ts";
import { volumeData } from "./volume-paths.ts";
import { findVolume } from "./volumes.ts";

/** @throws DevboxError VOLUME_NOT_FOUND */
export function describeVolume(store: Store, text: string): Readonly<Record<string, unknown>> {
  const { name, created, labels } = findVolume(store, text);
  return {
    CreatedAt: created,
    Driver: "local",
    Labels: new Map(Object.entries(labels)),
    Mountpoint: volumeData(store.root, name),
    Name: name,
    Options: new Map(),
    Scope: "local",
  };
}
