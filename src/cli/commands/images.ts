/** devbox images: what is in the store. */
import type { ImageSummary } from "../../image/shown/list.ts";
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { parseFilters } from "../format/filters.ts";
import { renderList } from "../format/list.ts";
import { fittingImages, imageFilterKeys, imageShape, shortId } from "../format/shapes/image.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "images", description: "List the images in the store" },
  args: {
    reference: {
      type: "positional",
      required: false,
      completes: "images",
      description: "REPOSITORY[:TAG]: these alone",
    },
    all: { type: "boolean", alias: "a", description: "For docker's scripts: nothing is hidden anyway" },
    filter: {
      type: "string",
      multiple: true,
      alias: "f",
      valueHint: "KEY=VALUE",
      description: `Only those that fit: ${imageFilterKeys.join(", ")}`,
    },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    digests: { type: "boolean", description: "Also the digests of the manifests" },
    quiet: { type: "boolean", alias: "q", description: "Print ids only" },
    "no-trunc": { type: "boolean", description: "Print ids in full" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox images", "the newest first"],
    ["devbox rmi --force $(devbox images -q)", "remove them all"],
  ],
  async run(values) {
    using context = openContext(values);
    const { listImages } = await import("../../image/shown/list.ts");
    const { openStore } = await import("../../store/open.ts");
    const filters = parseFilters(values.filter, imageFilterKeys);
    const [now, full] = [context.now(), values["no-trunc"] ?? false];
    const digests = values.digests ?? false;
    const images = fittingImages(filters, listImages(context, openStore(context.env)), values.reference, now);
    if (values.json) writeOut(`${JSON.stringify(images)}\n`);
    else if (values.quiet) writeOut(idLines(images, full));
    else writeOut(renderList(imageShape(now, full, digests), values.format, images));
    return 0;
  },
});

/** An image with several names once, so that the list can be handed to `rmi`. */
function idLines(images: readonly ImageSummary[], full: boolean): string {
  return [...new Set(images.map((image) => `${shortId(image, full)}\n`))].join("");
}
