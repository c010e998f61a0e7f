/** devbox save: images into an archive. */

import { defineCommand, everyCommand, progressOptions } from "../command.ts";
import { packingOptions } from "../packing-flags.ts";
import { platformOption, readPlatform } from "../platform-flag.ts";
import { openContext } from "../ui/context.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "save", description: "Save images to an archive" },
  args: {
    image: {
      type: "positional",
      variadic: true,
      completes: "images",
      description: "Image references; by id, an image is saved without a name",
    },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      completes: "files",
      description: "File to write; default: stdout",
    },
    format: {
      type: "enum",
      options: ["docker-archive", "oci-archive"],
      default: "docker-archive",
      description: "Kind of archive",
    },
    platform: {
      ...platformOption,
      description: "Of what was pulled with --all-platforms; default: the one that was pulled",
    },
    "multi-image-archive": {
      type: "boolean",
      alias: "m",
      hidden: true,
      description: "For podman's scripts: several images are in one archive anyway",
    },
    all: { type: "boolean", description: "All platforms; for oci-archive" },
    ...packingOptions,
    ...progressOptions,
    ...everyCommand,
  },
  examples: [
    ["devbox save -o images.tar debian:12 app:1.0", "several in one file; layers that they share are in it once"],
    ["devbox save app:1.0 | ssh host docker load", "to another machine"],
    ["devbox save --format oci-archive -o app.tar app:1.0", "with the manifest and the compressed layers as they are"],
  ],
  async run(values) {
    using context = openContext(values);
    const { DevboxError } = await import("../../core/errors.ts");
    const toStdout = values.output === undefined || values.output === "-";
    if (toStdout && isTerminal(1)) {
      throw new DevboxError("USAGE", {
        step: "save to a terminal",
        because: "an archive is nothing to look at",
        hint: "name a file with -o, or send it on: devbox save IMAGE > FILE",
      });
    }
    const { resolve } = await import("node:path");
    const { parsePacking } = await import("../../image/make/packing.ts");
    const { saveImages } = await import("../../image/copy/save.ts");
    const { openStore } = await import("../../store/open.ts");
    const output = toStdout
      ? ({ kind: "fd", fd: 1 } as const)
      : ({ kind: "file", path: resolve(values.output) } as const);
    await saveImages(context, openStore(context.env), values.image, output, {
      kind: values.format,
      packing: parsePacking(values.compression, values.level),
      platform: await readPlatform(values.platform),
      all: values.all ?? false,
    });
    return 0;
  },
});
