/** devbox image inspect: of the store as docker shows it, of a registry as skopeo does. */

import { accessOptions, readOneAccess, requireRegistry } from "../../access-flags.ts";
import { defineCommand, everyCommand } from "../../command.ts";
import { renderValue } from "../../format/list.ts";
import { toJson, toValue } from "../../format/value.ts";
import { platformOption, readPlatform } from "../../platform-flag.ts";
import { openContext } from "../../ui/context.ts";
import { writeBytes, writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "image inspect", description: "Show all about images, as JSON" },
  args: {
    image: {
      type: "positional",
      variadic: true,
      completes: "images",
      description: "Image references, ids, or beginnings of ids; docker://NAME: in its registry",
    },
    format: { type: "string", alias: "f", valueHint: "FORMAT", description: "json, or TEMPLATE" },
    raw: { type: "boolean", description: "The manifest or index as it is; with --config, the config" },
    config: { type: "boolean", description: "The config" },
    "no-tags": { type: "boolean", alias: "n", description: "In a registry, do not ask for the tags of the repository" },
    platform: {
      ...platformOption,
      description: "Of an index, with docker://, --raw and --config; default: this machine's",
    },
    ...accessOptions,
    ...everyCommand,
  },
  examples: [
    ["devbox image inspect -f '{{.Config.Cmd}}' debian:12", "one thing"],
    ["devbox image inspect docker://debian:12", "in its registry: no layer is pulled"],
    ["devbox image inspect --raw oci:DIR | sha256sum", "what its digest is of"],
  ],
  notes: ["docker://NAME is shown as skopeo shows it: one object, with the tags of its repository."],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { readName } = await import("../../../image/names/short-names.ts");
    const { inspectImage } = await import("../../../image/shown/inspect.ts");
    const { openStore } = await import("../../../store/open.ts");
    const store = openStore(context.env);
    const platform = await readPlatform(values.platform);
    const options = { platform, access: await readOneAccess(values) };
    if (values.raw || values.config) {
      const { readDocument } = await import("../../../image/shown/inspect-source.ts");
      for (const name of values.image) {
        const bytes = await readDocument(context, store, name, values.config ? "config" : "manifest", options);
        if (values.raw) writeBytes(1, bytes);
        else writeOut(`${JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)), undefined, 4)}\n`);
      }
      return 0;
    }
    const { format } = values;
    if (values.image.some((name) => name.startsWith("docker://"))) {
      const { inspectRemote } = await import("../../../image/shown/inspect-source.ts");
      for (const name of values.image) {
        const reference = requireRegistry(readName(name, context.env), `inspect ${name}`);
        const found = toValue(await inspectRemote(context, store, reference, !values["no-tags"], options));
        writeOut(format === undefined ? `${toJson(found, 4)}\n` : renderValue(format, found));
      }
      return 0;
    }
    const found = values.image.map((name) => toValue(inspectImage(store, name, context.env)));
    if (format === undefined) writeOut(`${toJson(found, 4)}\n`);
    else writeOut(found.map((value) => renderValue(format, value)).join(""));
    return 0;
  },
});
