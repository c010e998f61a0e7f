/** devbox ps: the boxes. */
import type { ListedBox } from "../../box/list.ts";
import type { Context } from "../../core/context.ts";
import type { Store } from "../../store/types.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { asksForAll, boxFilterKeys, fittingBoxes } from "../format/box-filters.ts";
import { parseFilters } from "../format/filters.ts";
import { renderList } from "../format/list.ts";
import { boxShape } from "../format/shapes/box.ts";
import { badFlag } from "../run-values.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "ps", description: "List boxes" },
  args: {
    all: { type: "boolean", alias: "a", description: "Also those that do not run" },
    filter: {
      type: "string",
      multiple: true,
      alias: "f",
      valueHint: "KEY=VALUE",
      description: `Only those that fit: ${boxFilterKeys.join(", ")}`,
    },
    format: { type: "string", valueHint: "FORMAT", description: "json, table TEMPLATE, or TEMPLATE" },
    last: { type: "string", alias: "n", valueHint: "N", description: "The N made last, running or not" },
    latest: { type: "boolean", alias: "l", description: "The one made last, running or not" },
    "no-trunc": { type: "boolean", description: "Nothing is cut off" },
    quiet: { type: "boolean", alias: "q", description: "Print ids only" },
    size: { type: "boolean", alias: "s", description: "How much each has written" },
    ...everyCommand,
  },
  examples: [
    ["devbox ps -a", "also those that have ended"],
    ["devbox ps --format '{{.Names}} {{.Status}}'", "for scripts"],
    ["devbox rm $(devbox ps -aq --filter status=exited)", "remove those that have ended"],
  ],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { listedBoxes } = await import("../../box/list.ts");
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const filters = parseFilters(values.filter, boxFilterKeys);
    const last = readLast(values.last, values.latest ?? false);
    const all = values.all === true || last !== undefined || asksForAll(filters);
    const isOfImage = filters.has("ancestor") ? await imageTest(store, context.env) : () => false;
    const boxes = fittingBoxes(filters, listedBoxes(context, store), isOfImage)
      .filter(({ record }) => all || (record.status !== "created" && record.status !== "exited"))
      .slice(0, last);
    const full = values["no-trunc"] ?? false;
    if (values.quiet) {
      writeOut(boxes.map(({ record }) => `${full ? record.id : record.id.slice(0, 12)}\n`).join(""));
      return 0;
    }
    const size = values.size === true || (values.format ?? "").includes(".Size");
    writeOut(renderList(boxShape({ now: context.now(), full, size }), values.format, boxes));
    return 0;
  },
});

function readLast(text: string | undefined, latest: boolean): number | undefined {
  if (latest) return 1;
  if (text === undefined || text === "-1") return undefined;
  if (!/^\d+$/.test(text)) throw badFlag("--last", text, "it is not a number", "3");
  // docker takes 0 for no limit.
  return text === "0" ? undefined : Number(text);
}

/** An image is an ancestor by its name, its id, or that of a manifest, whichever people type. */
async function imageTest(store: Store, env: Context["env"]): Promise<(box: ListedBox, image: string) => boolean> {
  const { entriesOf, findImage } = await import("../../image/names/find.ts");
  const { readEntries } = await import("../../store/index-file.ts");
  const entries = readEntries(store);
  return ({ record }, image) => {
    if (record.image === image || record.image === `${image}:latest`) return true;
    try {
      return entriesOf(findImage(store, entries, image, env)).some(
        ({ descriptor }) => descriptor.digest === record.manifestDigest,
      );
    } catch {
      return false;
    }
  };
}
