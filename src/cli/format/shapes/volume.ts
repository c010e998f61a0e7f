/** The fields of a volume (docker/cli, formatter/volume.go). */
import { volumeData } from "../../../store/volume-paths.ts";
import type { VolumeRecord } from "../../../store/volumes.ts";
import type { ListShape } from "../list.ts";
import { printed } from "../value.ts";

export interface VolumeRow {
  readonly volume: VolumeRecord;
  readonly storeRoot: string;
  /** Boxes that mount it. */
  readonly links: number;
}

export const volumeShape: ListShape<VolumeRow> = {
  fields: {
    Driver: { title: "DRIVER", value: () => "local" },
    Name: { title: "VOLUME NAME", value: ({ volume }) => volume.name },
    Scope: { title: "SCOPE", value: () => "local" },
    Mountpoint: { title: "MOUNTPOINT", value: ({ volume, storeRoot }) => volumeData(storeRoot, volume.name) },
    CreatedAt: { title: "CREATED", value: ({ volume }) => volume.created },
    Labels: { title: "LABELS", value: ({ volume }) => labelsText(volume.labels) },
    Label: {
      title: "",
      value:
        ({ volume }) =>
        (name) =>
          volume.labels[printed(name)] ?? "",
    },
    Links: { title: "LINKS", value: ({ links }) => links },
  },
  table: "{{.Driver}}\t{{.Name}}",
};

/** `a=1,b=2`, as docker prints labels. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(",");
}
