/** devbox artifact inspect: the manifest that a name stands for. */
import { accessOptions, readOneAccess } from "../../access-flags.ts";
import { defineCommand, everyCommand } from "../../command.ts";
import { readPlatform } from "../../platform-flag.ts";
import { openContext } from "../../ui/context.ts";
import { writeBytes, writeOut } from "../../ui/output.ts";
import { artifactPlatform } from "./flags.ts";

export default defineCommand({
  meta: { name: "artifact inspect", description: "Print the manifest of an artifact" },
  args: {
    reference: { type: "positional", description: "Such as ghcr.io/owner/name:1, oci:DIR or oci-archive:FILE" },
    raw: { type: "boolean", description: "Its bytes as they are: their sha256 is its digest" },
    ...artifactPlatform,
    ...accessOptions,
    ...everyCommand,
  },
  examples: [["devbox artifact inspect ghcr.io/devcontainers/features/go:1", "config, layers, annotations"]],
  notes: ["An index is printed as one, unless --platform chooses a manifest of it."],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../../image/names/short-names.ts");
    const { fetchDocument } = await import("../../../image/artifact/fetch.ts");
    const { openStore } = await import("../../../store/open.ts");
    const platform = await readPlatform(values.platform);
    const options = { platform, ...(await readOneAccess(values)) };
    const reference = readName(values.reference, context.env);
    const { bytes } = await fetchDocument(context, openStore(context.env), reference, options);
    if (values.raw) writeBytes(1, bytes);
    else writeOut(`${JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), undefined, 2)}\n`);
    return 0;
  },
});
