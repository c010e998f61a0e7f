/** devbox load: images from an archive. */

import type { LoadedImage } from "../../image/pull/load.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { platformOption, readPlatform } from "../platform-flag.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "load", description: "Load images from an archive" },
  args: {
    input: {
      type: "string",
      alias: "i",
      valueHint: "FILE",
      completes: "files",
      description: "Archive of docker save, podman save or skopeo, plain or packed with gzip or zstd; default: stdin",
    },
    platform: {
      ...platformOption,
      description: "Platform, where there are several; default: this machine's",
    },
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox load -i images.tar", "all images in it, under their names"],
    ["docker save debian:12 | devbox load", "out of docker's store"],
  ],
  notes: ["One image of several is brought by: devbox pull docker-archive:FILE:NAME, or oci-archive:FILE:NAME."],
  async run(values) {
    using context = openContext(values);
    const { DevboxError } = await import("../../core/errors.ts");
    const fromStdin = values.input === undefined || values.input === "-";
    if (fromStdin && isTerminal(0)) {
      throw new DevboxError("USAGE", {
        step: "load from a terminal",
        because: "no archive comes from there",
        hint: "name the file with -i, or pipe it in: devbox load < FILE",
      });
    }
    const { loadImages } = await import("../../image/pull/load.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { openStore } = await import("../../store/open.ts");
    const input = fromStdin ? ({ kind: "fd", fd: 0 } as const) : ({ kind: "file", path: values.input } as const);
    const platform = await readPlatform(values.platform);
    const facts = readHostFacts(context.env);
    const store = openStore(context.env);
    const loaded = await loadImages(context, store, facts, input, { platform });
    const lines = values.json ? loaded.map((image) => JSON.stringify(image)) : await describe(loaded);
    writeOut(lines.map((line) => `${line}\n`).join(""));
    // The images can be used already.
    await (await import("../../image/garbage/share-files.ts")).shareFiles(context, store, facts);
    return 0;
  },
});

/** docker's words: scripts read the names from them. */
async function describe(loaded: readonly LoadedImage[]): Promise<readonly string[]> {
  const { familiarName, parseReference } = await import("../../oci/reference.ts");
  return loaded.flatMap(({ names, id }) =>
    names.length === 0
      ? [`Loaded image ID: ${id}`]
      : names.map((name) => `Loaded image: ${familiarName(parseReference(name))}`),
  );
}
