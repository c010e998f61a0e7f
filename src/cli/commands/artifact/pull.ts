/** devbox artifact pull: the files of an artifact into a directory. */
import { accessOptions, readOneAccess } from "../../access-flags.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../../command.ts";
import { readPlatform } from "../../platform-flag.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";
import { artifactPlatform } from "./flags.ts";

export default defineCommand({
  meta: { name: "artifact pull", description: "Write the files of an artifact into a directory" },
  args: {
    reference: {
      type: "positional",
      description: "Such as ghcr.io/owner/name:1, oci:DIR or oci-archive:FILE",
    },
    output: {
      type: "string",
      alias: "o",
      default: ".",
      valueHint: "DIR",
      completes: "files",
      description: "Where to; made if need be. Default: the working directory",
    },
    force: { type: "boolean", description: "Replace files of the same names" },
    ...artifactPlatform,
    ...accessOptions,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox artifact pull -o go ghcr.io/devcontainers/features/go:1", "a dev-container Feature"],
    ["devbox artifact pull oci:DIR:name", "from a directory that skopeo or oras has written"],
  ],
  notes: [
    "Prints the files, then the digest of the manifest. Each is verified; all are written, or none.",
    "A file without a title is named by its digest. What oras has packed stays as the archive it is.",
  ],
  async run(values) {
    using context = openContext(values);
    const { join, resolve } = await import("node:path");
    const { readName } = await import("../../../image/names/short-names.ts");
    const { fetchArtifact } = await import("../../../image/artifact/fetch.ts");
    const { placeFiles } = await import("../../../image/artifact/files.ts");
    const { artifactTypeOf } = await import("../../../oci/artifact.ts");
    const { formatReference } = await import("../../../oci/reference.ts");
    const { openStore } = await import("../../../store/open.ts");
    const platform = await readPlatform(values.platform);
    const reference = readName(values.reference, context.env);
    const options = { platform, ...(await readOneAccess(values)) };
    await using artifact = await fetchArtifact(context, openStore(context.env), reference, options);
    await placeFiles(context, artifact, { directory: resolve(values.output), force: values.force === true });
    const written = artifact.files.map((file) => ({ ...file, path: join(values.output, file.path) }));
    for (const { path, isPackedDirectory } of written) {
      if (isPackedDirectory) context.log.info(`${path} is a packed directory; tar -xf unpacks it`);
    }
    if (values.json) {
      const files = written.map(({ path, descriptor: { mediaType, digest, size } }) => ({
        path,
        mediaType,
        digest,
        size,
      }));
      const { digest } = artifact.descriptor;
      const artifactType = artifactTypeOf(artifact.manifest);
      writeOut(`${JSON.stringify({ reference: formatReference(reference), digest, artifactType, files })}\n`);
    } else {
      writeOut(`${[...written.map(({ path }) => path), artifact.descriptor.digest].join("\n")}\n`);
    }
    return 0;
  },
});
