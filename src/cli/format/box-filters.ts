/** `--filter` of `devbox ps` (docker-ps(1)). */
import type { ListedBox } from "../../box/list.ts";
import { DevboxError } from "../../core/errors.ts";
import { anyFits, badFilter, type Filters, labelsFit, nameFits } from "./filters.ts";
import { networkOf } from "./shapes/box.ts";

export const boxFilterKeys = [
  "id",
  "name",
  "label",
  "exited",
  "status",
  "ancestor",
  "before",
  "since",
  "volume",
  "publish",
  "expose",
  "network",
  "health",
] as const;

const statuses: readonly string[] = ["created", "running", "paused", "restarting", "exited", "removing", "dead"];

/** Whoever asks for a state asks for boxes that do not run as well. */
export function asksForAll(filters: Filters): boolean {
  return filters.has("status") || filters.has("exited");
}

/**
 * The boxes that fit.
 * @param boxes all of them, the newest first
 * @param isOfImage for `ancestor`
 * @throws DevboxError USAGE for a value that cannot be; BOX_NOT_FOUND for `before` and `since`
 */
export function fittingBoxes(
  filters: Filters,
  boxes: readonly ListedBox[],
  isOfImage: (box: ListedBox, image: string) => boolean,
): readonly ListedBox[] {
  checkValues(filters);
  const [before, since] = [placeOf(filters, boxes, "before"), placeOf(filters, boxes, "since")];
  return boxes.filter(
    (box, index) =>
      (before === undefined || index > before) &&
      (since === undefined || index < since) &&
      fits(filters, box) &&
      anyFits(filters, "ancestor", (image) => isOfImage(box, image)),
  );
}

function checkValues(filters: Filters): void {
  const status = filters.get("status")?.find((each) => !statuses.includes(each));
  if (status !== undefined) throw badFilter(`status=${status}`, `it is one of ${statuses.join(", ")}`);
  const exited = filters.get("exited")?.find((each) => !/^\d+$/.test(each));
  if (exited !== undefined) throw badFilter(`exited=${exited}`, "it is a number");
}

function placeOf(filters: Filters, boxes: readonly ListedBox[], key: "before" | "since"): number | undefined {
  const wanted = filters.get(key)?.at(-1);
  if (wanted === undefined) return undefined;
  const place = boxes.findIndex(({ record }) => record.name === wanted || record.id.startsWith(wanted));
  if (place >= 0) return place;
  throw new DevboxError("BOX_NOT_FOUND", {
    step: `find the box ${wanted} of --filter ${key}`,
    because: "there is no box of this name or id",
  });
}

function fits(filters: Filters, box: ListedBox): boolean {
  const { record } = box;
  return (
    anyFits(filters, "id", (id) => record.id.startsWith(id)) &&
    anyFits(filters, "name", (pattern) => nameFits(pattern.replace(/^(\^?)\//, "$1"), record.name)) &&
    labelsFit(filters, record.labels) &&
    anyFits(filters, "status", (status) => record.status === status) &&
    anyFits(filters, "exited", (code) => record.status === "exited" && record.exitCode === Number(code)) &&
    anyFits(filters, "health", (health) => health === (record.health?.status ?? "none")) &&
    anyFits(filters, "network", (network) => network === networkOf(box)) &&
    anyFits(filters, "publish", (port) => hasPort(box, port)) &&
    anyFits(filters, "expose", (port) => hasPort(box, port)) &&
    anyFits(filters, "volume", (volume) => hasMount(box, volume))
  );
}

/** `80`, `80/udp`, `80-90/tcp`: of the box, as docker means it. */
function hasPort({ record }: ListedBox, text: string): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) throw badFilter(`publish=${text}`, "a port looks like 80, 80/udp or 8000-8010/tcp");
  const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
  const protocol = match[3] ?? "tcp";
  return (record.ports ?? []).some(
    (port) => port.protocol === protocol && port.containerPort >= from && port.containerPort <= to,
  );
}

function hasMount(box: ListedBox, wanted: string): boolean {
  return box.mounts().some(({ name, source, destination }) => [name, source, destination].includes(wanted));
}
