/** devbox import: a tar of a root file system becomes an image. */

import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { packingOptions } from "../packing-flags.ts";
import { platformOption, readPlatform } from "../platform-flag.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "import", description: "Make an image of a tar of a root file system" },
  args: {
    file: {
      type: "positional",
      completes: "files",
      description: "The archive, plain or packed with gzip or zstd; - for stdin",
    },
    name: { type: "positional", required: false, description: "Name of the image; default: none" },
    change: {
      type: "string",
      multiple: true,
      alias: "c",
      valueHint: "INSTRUCTION",
      description:
        "What a Dockerfile would say: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, USER, VOLUME, WORKDIR …",
    },
    message: { type: "string", alias: "m", valueHint: "TEXT", description: "Comment in the history of the image" },
    author: { type: "string", alias: "a", valueHint: "WHO", description: "Who has made it" },
    platform: {
      ...platformOption,
      description: "What it is made for; default: this machine's",
    },
    ...packingOptions,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox import rootfs.tar.gz base:1", "prints the id of the image"],
    ["tar -C rootfs -c . | devbox import -c 'CMD [\"sh\"]' - base:1", "from stdin, with a command to run"],
    ["devbox export web | devbox import - web:flat", "a box as an image of one layer"],
  ],
  notes: ["Equal archives make equal images when SOURCE_DATE_EPOCH says when they were made."],
  async run(values) {
    using context = openContext(values);
    const { importImage } = await import("../../image/make/import.ts");
    const { readImageName } = await import("../../image/names/image-name.ts");
    const { parsePacking } = await import("../../image/make/packing.ts");
    const { hostPlatform } = await import("../../oci/platform.ts");
    const { formatReference } = await import("../../oci/reference.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { openStore } = await import("../../store/open.ts");
    const options = {
      name: values.name === undefined ? undefined : readImageName(values.name, context.env),
      changes: values.change,
      message: values.message,
      author: values.author,
      platform: (await readPlatform(values.platform)) ?? hostPlatform(),
      packing: parsePacking(values.compression, values.level) ?? { compression: "gzip" as const },
    };
    if (/^https?:\/\//.test(values.file)) throw noUrl(values.file);
    const input = values.file === "-" ? { kind: "fd" as const, fd: 0 } : { kind: "file" as const, path: values.file };
    const made = await importImage(context, openStore(context.env), readHostFacts(context.env), input, options);
    const name = options.name === undefined ? undefined : formatReference(options.name);
    const result = { id: made.id, digest: made.manifestDescriptor.digest, image: name };
    writeOut(values.json ? `${JSON.stringify(result)}\n` : `${made.id}\n`);
    return 0;
  },
});

/** docker fetches it; what is fetched by a program that is made for it says who it asked, and how it went. */
function noUrl(url: string): DevboxError {
  return new DevboxError("USAGE", {
    step: `import ${url}`,
    because: "devbox fetches images, no archives",
    hint: `curl -fL ${url} | devbox import - NAME`,
  });
}
