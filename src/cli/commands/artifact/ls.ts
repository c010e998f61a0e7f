/** devbox artifact ls: what refers to an image. */
import type { Descriptor } from "../../../oci/descriptor.ts";
import { accessOptions, readOneAccess, requireRegistry } from "../../access-flags.ts";
import { defineCommand, everyCommand, jsonOption } from "../../command.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";
import { type Column, renderTable } from "../../ui/table.ts";
import { formatAge, formatBytes } from "../../ui/units.ts";
import { parseMediaType } from "./flags.ts";

export default defineCommand({
  meta: { name: "artifact ls", description: "List what belongs to an image: signatures, lists of contents, …" },
  args: {
    reference: { type: "positional", description: "An image of a registry, by tag or digest" },
    "artifact-type": { type: "string", valueHint: "MEDIATYPE", description: "Only artifacts of this type" },
    ...accessOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox artifact ls ghcr.io/owner/app:1", "all that name it as their subject"],
    ["devbox artifact pull ghcr.io/owner/app@sha256:…", "the files of one that was listed"],
  ],
  notes: ["Asks the referrers API of the registry; one without it, the tag that stands in for it."],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../../image/names/short-names.ts");
    const { listReferrers } = await import("../../../image/artifact/referrers.ts");
    const { createdKey, isMediaType } = await import("../../../oci/artifact.ts");
    const type = values["artifact-type"];
    const reference = requireRegistry(
      readName(values.reference, context.env),
      `list what belongs to ${values.reference}`,
    );
    const { subject, referrers } = await listReferrers(context, reference, {
      artifactType: type === undefined ? undefined : parseMediaType("--artifact-type", type),
      ...(await readOneAccess(values)),
    });
    if (values.json) {
      writeOut(`${JSON.stringify({ subject, referrers })}\n`);
      return 0;
    }
    const now = context.now();
    const columns: readonly Column<Descriptor>[] = [
      { title: "DIGEST", cell: ({ digest }) => digest },
      // Anybody may have written it, with control characters too: --json has what is no media type.
      { title: "ARTIFACT TYPE", cell: ({ artifactType = "" }) => (isMediaType(artifactType) ? artifactType : "") },
      { title: "MANIFEST SIZE", cell: ({ size }) => formatBytes(size), align: "right" },
      { title: "CREATED", cell: ({ annotations }) => age(annotations?.[createdKey], now) },
    ];
    writeOut(renderTable(columns, referrers));
    return 0;
  },
});

function age(created: string | undefined, now: Date): string {
  const date = new Date(created ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? "" : formatAge(date, now);
}
