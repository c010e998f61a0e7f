/** devbox images: what is in the store. */
import type { ImageSummary } from "../../image/list.ts";
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { renderTable } from "../ui/table.ts";
import { formatAge, formatBytes } from "../ui/units.ts";

export default defineCommand({
  meta: { name: "images", description: "List the images in the store" },
  args: {
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
    const { listImages } = await import("../../image/list.ts");
    const { openStore } = await import("../../store/open.ts");
    const images = listImages(context, openStore(context.env));
    if (values.json) writeOut(`${JSON.stringify(images)}\n`);
    else if (values.quiet) writeOut(idLines(images, values["no-trunc"] ?? false));
    else writeOut(renderImages(images, context.now(), values["no-trunc"] ?? false));
    return 0;
  },
});

/** An image with several names once, so that the list can be handed to `rmi`. */
function idLines(images: readonly ImageSummary[], full: boolean): string {
  return [...new Set(images.map((image) => `${idOf(image, full)}\n`))].join("");
}

export function renderImages(images: readonly ImageSummary[], now: Date, full: boolean): string {
  return renderTable(
    [
      { title: "REPOSITORY", cell: ({ repository }) => repository ?? "<none>" },
      { title: "TAG", cell: ({ tag }) => tag ?? "<none>" },
      { title: "IMAGE ID", cell: (image) => idOf(image, full) },
      { title: "CREATED", cell: ({ created }) => ageOf(created, now) },
      { title: "SIZE", cell: ({ sizeBytes }) => formatBytes(sizeBytes), align: "right" },
    ],
    images,
  );
}

function idOf({ id }: ImageSummary, full: boolean): string {
  return full ? id : id.replace(/^sha\d+:/, "").slice(0, 12);
}

/** Images say what they like, or nothing. */
function ageOf(created: string | undefined, now: Date): string {
  const date = new Date(created ?? "");
  return Number.isNaN(date.getTime()) ? "unknown" : formatAge(date, now);
}
