/** devbox df: how much room everything takes. */
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { decimalSize } from "../format/docker-words.ts";
import { renderList } from "../format/list.ts";
import {
  boxUsageShape,
  imageUsageShape,
  totalRows,
  totalShape,
  volumeUsageShape,
} from "../format/shapes/disk-usage.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "df", description: "Show how much room images, boxes and volumes take" },
  args: {
    verbose: { type: "boolean", alias: "v", description: "Each image, box and volume" },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox df", "and what a prune --all would free"],
    ["devbox df -v", "what each image shares with others"],
  ],
  async run(values) {
    using context = openContext({ debug: values.debug, json: values.json });
    const { diskUsage } = await import("../../image/shown/disk-usage.ts");
    const { openStore } = await import("../../store/open.ts");
    const readFacts = async () => (await import("../../host/read-facts.ts")).readHostFacts(context.env);
    const usage = await diskUsage(context, openStore(context.env), readFacts);
    const { shared } = usage;
    const files = shared.files === 1 ? "1 file" : `${shared.files} files`;
    const less = decimalSize(shared.savedBytes);
    const saved =
      shared.savedBytes === 0 ? "" : `\nLayers share ${files}, and so take ${less} less than their sizes say.\n`;
    if (values.json) writeOut(`${JSON.stringify(usage)}\n`);
    else if (values.format !== undefined) writeOut(renderList(totalShape, values.format, totalRows(usage)));
    else if (values.verbose) {
      const now = context.now();
      const parts = [
        `Images space usage:\n\n${renderList(imageUsageShape(now), undefined, usage.images.list)}`,
        `Boxes space usage:\n\n${renderList(boxUsageShape(now), undefined, usage.boxes.list)}`,
        `Local Volumes space usage:\n\n${renderList(volumeUsageShape, undefined, usage.volumes.list)}`,
      ];
      writeOut(`${parts.join("\n")}${saved}`);
    } else writeOut(`${renderList(totalShape, undefined, totalRows(usage))}${saved}`);
    return 0;
  },
});
