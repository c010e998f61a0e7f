/**
 * Anonymous volumes (`-v /path`, the image's VOLUMEs): a place of the box's own that is writable and ends with the box.
 *
 * The box's upper layer is just that, with the image's content, owner and mode as they are; so a directory of the
 * image needs no mount at all. Two places are no part of the upper layer and get one: a directory that the image
 * lacks, or that lies in another mount, is an empty directory beside the box; under `--read-only`, a tmpfs.
 */
import type { Stats } from "node:fs";
import { toContainerId } from "../oci/id-map.ts";
import type { IdMap, RuntimeMount } from "../oci/runtime.ts";

export interface VolumeInput {
  /** Clean absolute paths in the box. */
  readonly targets: readonly string[];
  /** What else is mounted. */
  readonly mounts: readonly RuntimeMount[];
  readonly readonlyRoot: boolean;
  /** What the image has at a place; undefined: nothing. */
  readonly imageStat: (target: string) => Stats | undefined;
  readonly idMap: IdMap;
  /** Where the directories beside the box are made: absolute. */
  readonly directory: string;
}

/** The mounts that the volumes need. Bind sources are to be made by the caller where they are missing. */
export function volumeMounts(input: VolumeInput): RuntimeMount[] {
  const taken = new Set(input.mounts.map(({ destination }) => destination));
  const targets = [...new Set(input.targets)].filter((target) => !taken.has(target));
  return targets.flatMap((target, index) => {
    const stat = input.imageStat(target);
    if (input.readonlyRoot) return [memoryVolume(target, stat, input.idMap)];
    const elsewhere = input.mounts.some(({ destination }) => target.startsWith(`${destination}/`));
    if (stat?.isDirectory() === true && !elsewhere) return [];
    const source = `${input.directory}/${index}`;
    return [{ destination: target, type: "bind", source, options: ["rbind", "rprivate"] }];
  });
}

function memoryVolume(target: string, stat: Stats | undefined, idMap: IdMap): RuntimeMount {
  const options = ["nosuid", "nodev"];
  if (stat?.isDirectory() === true) {
    const [uid, gid] = [toContainerId(idMap.uid, stat.uid), toContainerId(idMap.gid, stat.gid)];
    options.push(`mode=${(stat.mode & 0o7777).toString(8)}`);
    if (uid !== undefined && gid !== undefined) options.push(`uid=${uid}`, `gid=${gid}`);
  } else {
    options.push("mode=755");
  }
  return { destination: target, type: "tmpfs", source: "tmpfs", options };
}
