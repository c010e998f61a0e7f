/** devbox artifact push: files of this machine into a registry. */
import { DevboxError } from "../../../core/errors.ts";
import { accessOptions, readOneAccess, requireRegistry } from "../../access-flags.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../../command.ts";
import { parsePairs } from "../../run-values.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";
import { hasTagOrDigest, parseFile, parseMediaType } from "./flags.ts";

const anyContent = "application/octet-stream";

export default defineCommand({
  meta: { name: "artifact push", description: "Store files in a registry" },
  args: {
    reference: { type: "positional", description: "Its name, such as ghcr.io/owner/name:1" },
    file: {
      type: "positional",
      variadic: true,
      required: false,
      completes: "files",
      description: `FILE or FILE:MEDIATYPE, default ${anyContent}; named as given below the working directory, else by its last name`,
    },
    "artifact-type": { type: "string", valueHint: "MEDIATYPE", description: "What the artifact is" },
    config: {
      type: "string",
      valueHint: "FILE[:MEDIATYPE]",
      completes: "files",
      description: "What those who know the artifact read first; default: none",
    },
    subject: {
      type: "string",
      valueHint: "REF",
      description: "The image of the same repository that it belongs to: artifact ls lists it there",
    },
    annotation: {
      type: "string",
      multiple: true,
      alias: "a",
      valueHint: "NAME=VALUE",
      description: "Annotation of the manifest",
    },
    digestfile: { type: "string", valueHint: "FILE", completes: "files", description: "Write the digest there, too" },
    ...accessOptions,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    [
      "devbox artifact push --subject host/app:1 --artifact-type application/spdx+json host/app sbom.json:application/spdx+json",
      "what is in an image, beside it",
    ],
    [
      "devbox artifact push --config /dev/null:application/vnd.devcontainers host/features/go:1 devcontainer-feature-go.tgz:application/vnd.devcontainers.layer.v1+tar",
      "a dev-container Feature",
    ],
  ],
  notes: [
    "Prints the digest. Equal files make equal artifacts, dated only by SOURCE_DATE_EPOCH.",
    "With --subject and without a tag it is named by its digest alone: no tag of the image moves.",
  ],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../../image/names/short-names.ts");
    const { pushArtifact } = await import("../../../image/artifact/push.ts");
    const { writeDigest } = await import("../../../image/destinations/write-file.ts");
    const { artifactTypeOf } = await import("../../../oci/artifact.ts");
    const { formatReference } = await import("../../../oci/reference.ts");
    const step = `push ${values.reference}`;
    const reference = requireRegistry(readName(values.reference, context.env), step);
    if (reference.digest !== undefined) {
      const because = "its digest is what comes of its files";
      throw new DevboxError("USAGE", { step, because, hint: "leave the digest out" });
    }
    const type = values["artifact-type"];
    const { subject, config, digestfile } = values;
    const artifact = await pushArtifact(context, reference, {
      files: values.file.map((text) => parseFile(text, anyContent)),
      config: config === undefined ? undefined : parseFile(config, anyContent),
      artifactType: type === undefined ? undefined : parseMediaType("--artifact-type", type),
      subject: subject === undefined ? undefined : requireRegistry(readName(subject, context.env), step),
      annotations: parsePairs("--annotation", values.annotation, "org.example.build=7"),
      tagged: subject === undefined || hasTagOrDigest(values.reference),
      access: await readOneAccess(values),
    });
    const { digest, size } = artifact.descriptor;
    if (digestfile !== undefined) writeDigest(digestfile, digest);
    const result = {
      reference: formatReference(reference),
      digest,
      size,
      artifactType: artifactTypeOf(artifact.manifest),
      subject: artifact.manifest.subject?.digest,
    };
    writeOut(values.json ? `${JSON.stringify(result)}\n` : `${digest}\n`);
    return 0;
  },
});
