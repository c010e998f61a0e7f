/** devbox diff: what a box has changed. */
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { byteText } from "../format/byte-text.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "diff", description: "List what a box has changed in the files of its image" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Its name, or the beginning of its id" },
    format: { type: "enum", options: ["json"], description: "json: one object, as podman prints it" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox diff web", "A: added, C: changed, D: deleted"],
    ["devbox diff --json web | jq -r '.[] | select(.kind == \"A\").path'", "for scripts"],
  ],
  notes: ["What was mounted into the box is not its own. Bytes of names that are no UTF-8 stand as \\xNN."],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { boxChanges } = await import("../../box/diff.ts");
    const changes = (await boxChanges(context, values.box)).map(({ kind, path }) => ({ path: byteText(path), kind }));
    if (values.json) writeOut(`${JSON.stringify(changes)}\n`);
    else if (values.format === "json") writeOut(`${JSON.stringify(byKind(changes), undefined, 2)}\n`);
    else writeOut(changes.map(({ kind, path }) => `${kind} ${path}\n`).join(""));
    return 0;
  },
});

/** podman-diff(1): a kind that has none is left out. */
function byKind(changes: readonly { readonly path: string; readonly kind: "A" | "C" | "D" }[]) {
  const pathsOf = (wanted: string) => {
    const paths = changes.filter(({ kind }) => kind === wanted).map(({ path }) => path);
    return paths.length === 0 ? undefined : paths;
  };
  return { changed: pathsOf("C"), added: pathsOf("A"), deleted: pathsOf("D") };
}
