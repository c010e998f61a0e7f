/** devbox pull: images from a registry or an archive into the store, ready to run. */

import { accessOptions, readOneAccess } from "../access-flags.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { platformOption, readPlatform } from "../platform-flag.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "pull", description: "Bring images into the store, ready to run" },
  args: {
    image: {
      type: "positional",
      variadic: true,
      completes: "images",
      description: "Image references, such as debian:12 or oci-archive:FILE",
    },
    platform: {
      ...platformOption,
      description: "Platform; default: this machine's",
    },
    "all-platforms": {
      type: "boolean",
      description: "Bring every platform of an index, to be pushed on; layers are applied of this machine's",
    },
    ...accessOptions,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox pull debian:12 alpine", "from docker.io; prints the digest of each"],
    ["devbox pull --platform linux/arm64 ghcr.io/owner/image:tag", "for another machine"],
    ["devbox pull oci-archive:image.tar", "from a file"],
    ["devbox pull --all-platforms debian:12", "all that push --all sends on"],
  ],
  notes: ["An interrupted pull is gone on with by the next one."],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../image/names/short-names.ts");
    const { pull } = await import("../../image/pull/pull.ts");
    const { formatReference } = await import("../../oci/reference.ts");
    const { openStore } = await import("../../store/open.ts");
    const access = await readOneAccess(values);
    const platform = await readPlatform(values.platform);
    // All are read before the first is pulled: a slip in the last one is not found out after minutes.
    const references = values.image.map((text) => readName(text, context.env));
    const store = openStore(context.env);
    const readFacts = async () => (await import("../../host/read-facts.ts")).readHostFacts(context.env);
    let isAnyNew = false;
    for (const reference of references) {
      const options = { platform, allPlatforms: values["all-platforms"] ?? false, ...access };
      const { image, isNew } = await pull(context, store, readFacts, reference, options);
      const name = formatReference(reference);
      isAnyNew ||= isNew;
      if (!isNew) context.log.info(`${name} is up to date`);
      const result = { image: name, digest: image.topDigest, manifest: image.manifestDescriptor.digest, isNew };
      writeOut(values.json ? `${JSON.stringify(result)}\n` : `${image.topDigest}\n`);
    }
    // The images can be used already.
    if (isAnyNew)
      await (await import("../../image/garbage/share-files.ts")).shareFiles(context, store, await readFacts());
    return 0;
  },
});
