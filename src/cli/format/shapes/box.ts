/** The fields of a box (docker/cli, formatter/container.go). */
import { boxNetwork } from "../../../box/config-file.ts";
import type { ListedBox } from "../../../box/list.ts";
import { ago, clockTime, decimalSize, portsText, shortened, statusText } from "../docker-words.ts";
import type { ListShape } from "../list.ts";
import { printed } from "../value.ts";
import { labelsText } from "./volume.ts";

export interface BoxListOptions {
  readonly now: Date;
  /** Ids, commands and names of mounts in full. */
  readonly full: boolean;
  readonly size: boolean;
}

const commandLength = 20;
const mountLength = 15;

export function boxShape({ now, full, size }: BoxListOptions): ListShape<ListedBox> {
  const mountNames = (box: ListedBox): string =>
    box
      .mounts()
      .map(({ name, source }) => (full ? (name ?? source) : shortened(name ?? source, mountLength)))
      .join(",");
  return {
    fields: {
      ID: { title: "CONTAINER ID", value: ({ record }) => (full ? record.id : record.id.slice(0, 12)) },
      Image: { title: "IMAGE", value: ({ record }) => record.image },
      Command: { title: "COMMAND", value: (box) => commandText(box, full) },
      CreatedAt: { title: "CREATED AT", value: ({ record }) => clockTime(record.created) },
      RunningFor: { title: "CREATED", value: ({ record }) => ago(record.created, now) },
      Ports: { title: "PORTS", value: ({ record }) => portsText(record.ports) },
      State: { title: "STATE", value: ({ record }) => record.status },
      Status: { title: "STATUS", value: ({ record }) => statusText(record, now) },
      Size: { title: "SIZE", value: (box) => (size ? sizeText(box) : "0B") },
      Names: { title: "NAMES", value: ({ record }) => record.name },
      Labels: { title: "LABELS", value: ({ record }) => labelsText(record.labels) },
      Label: {
        title: "",
        value:
          ({ record }) =>
          (name) =>
            record.labels[printed(name)] ?? "",
      },
      Mounts: { title: "MOUNTS", value: mountNames },
      LocalVolumes: {
        title: "LOCAL VOLUMES",
        value: (box) => String(box.mounts().filter(({ type }) => type === "volume").length),
      },
      Networks: { title: "NETWORKS", value: (box) => networkOf(box) },
    },
    table: `{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${size ? "\t{{.Size}}" : ""}`,
  };
}

/** In quotes, as docker has it. */
function commandText(box: ListedBox, full: boolean): string {
  const command = (box.config()?.process.args ?? box.record.command).join(" ");
  return JSON.stringify(full ? command : shortened(command, commandLength));
}

function sizeText(box: ListedBox): string {
  const { ownBytes, imageBytes } = box.size();
  return `${decimalSize(ownBytes)} (virtual ${decimalSize(ownBytes + imageBytes)})`;
}

export function networkOf(box: ListedBox): string {
  const config = box.config();
  return config === undefined ? "" : boxNetwork(config);
}
