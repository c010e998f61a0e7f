/** The fields of an image (docker/cli, formatter/image.go), and the filters of its list. */
import { DevboxError } from "../../../core/errors.ts";
import type { ImageSummary } from "../../../image/shown/list.ts";
import { ago, clockTime, decimalSize } from "../docker-words.ts";
import { anyFits, booleanFilter, type Filters, labelsFit } from "../filters.ts";
import type { ListShape } from "../list.ts";
import { parseMoment } from "../moments.ts";

export function imageShape(now: Date, full: boolean, digests: boolean): ListShape<ImageSummary> {
  return {
    fields: {
      ID: { title: "IMAGE ID", value: (image) => shortId(image, full) },
      Repository: { title: "REPOSITORY", value: ({ repository }) => repository ?? "<none>" },
      Tag: { title: "TAG", value: ({ tag }) => tag ?? "<none>" },
      Digest: { title: "DIGEST", value: ({ digest }) => digest },
      CreatedSince: { title: "CREATED", value: ({ created }) => ago(created, now) },
      CreatedAt: { title: "CREATED AT", value: ({ created }) => clockTime(created) },
      Size: { title: "SIZE", value: ({ sizeBytes }) => decimalSize(sizeBytes) },
    },
    table: `{{.Repository}}\t{{.Tag}}${digests ? "\t{{.Digest}}" : ""}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
  };
}

export function shortId({ id }: ImageSummary, full: boolean): string {
  return full ? id : id.replace(/^sha\d+:/, "").slice(0, 12);
}

export const imageFilterKeys = ["dangling", "label", "before", "since", "until", "reference"] as const;

/**
 * @param pattern as the word of the command line: `debian`, `debian:12`
 * @throws DevboxError USAGE, IMAGE_NOT_FOUND
 */
export function fittingImages(
  filters: Filters,
  images: readonly ImageSummary[],
  pattern: string | undefined,
  now: Date,
): readonly ImageSummary[] {
  const dangling = booleanFilter(filters, "dangling");
  const [before, since] = [timeOf(filters, images, "before"), timeOf(filters, images, "since")];
  const until = filters.get("until")?.map((text) => parseMoment("--filter until", text, now));
  return images.filter(
    (image) =>
      (dangling === undefined || dangling === (image.name === undefined)) &&
      labelsFit(filters, image.labels) &&
      (before === undefined || createdAt(image) < before) &&
      (since === undefined || createdAt(image) > since) &&
      (until === undefined || until.some((moment) => createdAt(image) < moment)) &&
      anyFits(filters, "reference", (reference) => isNamed(image, reference)) &&
      (pattern === undefined || isNamed(image, pattern)),
  );
}

function createdAt({ created }: ImageSummary): number {
  const time = Date.parse(created ?? "");
  return Number.isNaN(time) ? 0 : time;
}

function timeOf(filters: Filters, images: readonly ImageSummary[], key: "before" | "since"): number | undefined {
  const wanted = filters.get(key)?.at(-1);
  if (wanted === undefined) return undefined;
  const found = images.find((image) => isNamed(image, wanted) || shortId(image, true).includes(wanted));
  if (found !== undefined) return createdAt(found);
  throw new DevboxError("IMAGE_NOT_FOUND", {
    step: `find the image ${wanted} of --filter ${key}`,
    because: "it is not here",
  });
}

/** By repository, with or without a tag, `*` for what is not a slash (Go, path.Match). */
function isNamed({ repository, tag }: ImageSummary, pattern: string): boolean {
  if (repository === undefined) return false;
  const expression = new RegExp(
    `^${pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", "[^/]*")
      .replaceAll("?", "[^/]")}$`,
  );
  return expression.test(repository) || expression.test(`${repository}:${tag ?? ""}`);
}
