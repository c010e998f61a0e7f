/** The fields of disk usage (docker/cli, formatter/disk_usage.go). */
import type { BoxUsage, DiskUsage, Total, VolumeUsage } from "../../../image/shown/disk-usage.ts";
import type { ImageUsage } from "../../../image/shown/image-usage.ts";
import { ago, decimalSize, shortened, statusText } from "../docker-words.ts";
import { familiar } from "../image-name.ts";
import type { ListShape } from "../list.ts";

export interface TotalRow {
  readonly type: string;
  readonly total: Total;
}

export function totalRows({ images, boxes, volumes, downloads }: DiskUsage): readonly TotalRow[] {
  return [
    { type: "Images", total: images },
    { type: "Boxes", total: boxes },
    { type: "Local Volumes", total: volumes },
    { type: "Downloads", total: downloads },
  ];
}

export const totalShape: ListShape<TotalRow> = {
  fields: {
    Type: { title: "TYPE", value: ({ type }) => type },
    TotalCount: { title: "TOTAL", value: ({ total }) => total.count },
    Active: { title: "ACTIVE", value: ({ total }) => total.active },
    Size: { title: "SIZE", value: ({ total }) => decimalSize(total.sizeBytes) },
    Reclaimable: { title: "RECLAIMABLE", value: ({ total }) => reclaimableText(total) },
  },
  table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
};

function reclaimableText({ sizeBytes, reclaimableBytes }: Total): string {
  const text = decimalSize(reclaimableBytes);
  return sizeBytes === 0 ? text : `${text} (${Math.floor((reclaimableBytes * 100) / sizeBytes)}%)`;
}

export function imageUsageShape(now: Date): ListShape<ImageUsage> {
  return {
    fields: {
      Name: { title: "IMAGE", value: ({ names }) => (names.length === 0 ? "<none>" : names.map(familiar).join(", ")) },
      ID: { title: "IMAGE ID", value: ({ id }) => id.replace(/^sha\d+:/, "").slice(0, 12) },
      CreatedSince: { title: "CREATED", value: ({ created }) => ago(created, now) },
      Size: { title: "SIZE", value: ({ sizeBytes }) => decimalSize(sizeBytes) },
      SharedSize: { title: "SHARED SIZE", value: ({ sharedBytes }) => decimalSize(sharedBytes) },
      UniqueSize: { title: "UNIQUE SIZE", value: ({ uniqueBytes }) => decimalSize(uniqueBytes) },
      Containers: { title: "BOXES", value: ({ boxes }) => boxes },
    },
    table: "{{.Name}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
  };
}

/** docker's width of the column. */
const longestCommand = 20;

export function boxUsageShape(now: Date): ListShape<BoxUsage> {
  return {
    fields: {
      ID: { title: "BOX ID", value: ({ record }) => record.id.slice(0, 12) },
      Image: { title: "IMAGE", value: ({ record }) => record.image },
      Command: { title: "COMMAND", value: ({ record }) => `"${shortened(record.command.join(" "), longestCommand)}"` },
      LocalVolumes: { title: "LOCAL VOLUMES", value: ({ record }) => record.volumes?.length ?? 0 },
      Size: { title: "SIZE", value: ({ sizeBytes }) => decimalSize(sizeBytes) },
      RunningFor: { title: "CREATED", value: ({ record }) => ago(record.created, now) },
      Status: { title: "STATUS", value: ({ record }) => statusText(record, now) },
      Names: { title: "NAMES", value: ({ record }) => record.name },
    },
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
  };
}

export const volumeUsageShape: ListShape<VolumeUsage> = {
  fields: {
    Name: { title: "VOLUME NAME", value: ({ name }) => name },
    Links: { title: "LINKS", value: ({ links }) => links },
    Size: { title: "SIZE", value: ({ sizeBytes }) => decimalSize(sizeBytes) },
  },
  table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
};
