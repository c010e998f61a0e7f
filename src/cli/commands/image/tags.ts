/** devbox image tags: what a repository of a registry has. */
import { accessOptions, readOneAccess, requireRegistry } from "../../access-flags.ts";
import { defineCommand, everyCommand, jsonOption } from "../../command.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "image tags", description: "List the tags of a repository in a registry" },
  args: {
    repository: { type: "positional", description: "Such as debian or ghcr.io/owner/image" },
    ...accessOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [["devbox image tags debian", "a tag a line, as the registry lists them"]],
  notes: ["--json prints what skopeo list-tags prints."],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../../image/names/short-names.ts");
    const { listTags } = await import("../../../image/shown/inspect-source.ts");
    const step = `list the tags of ${values.repository}`;
    const reference = requireRegistry(readName(values.repository, context.env), step);
    const tags = await listTags(context, reference, await readOneAccess(values));
    const repository = `${reference.registry}/${reference.repository}`;
    writeOut(
      values.json
        ? `${JSON.stringify({ Repository: repository, Tags: tags })}\n`
        : tags.map((tag) => `${tag}\n`).join(""),
    );
    return 0;
  },
});
