/** devbox copy: an image from any place to any other, past the store. */
import { accessOptions, destinationAccessOptions, readAccess, sourceAccessOptions } from "../access-flags.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { copyOptions, readCopyOptions } from "../copy-flags.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "copy", description: "Copy an image between registries, layouts and archives" },
  args: {
    source: {
      type: "positional",
      completes: "images",
      description: "NAME[:TAG][@DIGEST], oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], dir:DIR",
    },
    destination: { type: "positional", description: "Any of the same" },
    ...copyOptions,
    ...sourceAccessOptions,
    ...destinationAccessOptions,
    authfile: accessOptions.authfile,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox copy debian:12 oci:DIR:debian", "prints the digest of what is there now"],
    ["devbox copy --all docker://quay.io/a/b:1 ghcr.io/c/b:1", "all platforms, from registry to registry"],
    [
      "devbox copy docker-archive:image.tar registry.example/image:1",
      "what docker save wrote; layers are packed with gzip",
    ],
  ],
  notes: [
    "Manifests keep their bytes where the destination can hold them.",
    "Layouts and their archives hold OCI's only; docker's archives hold none.",
    "dir:DIR is a directory as skopeo writes it.",
  ],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../image/names/short-names.ts");
    const { copyBetween } = await import("../../image/copy/copy.ts");
    const { writeDigest } = await import("../../image/destinations/write-file.ts");
    const { formatReference } = await import("../../oci/reference.ts");
    const { openStore } = await import("../../store/open.ts");
    const [from, to] = [readName(values.source, context.env), readName(values.destination, context.env)];
    const options = {
      ...(await readCopyOptions(values)),
      sourceAccess: await readAccess({
        tlsVerify: values["src-tls-verify"],
        creds: values["src-creds"],
        authFile: values["src-authfile"] ?? values.authfile,
      }),
      destinationAccess: await readAccess({
        tlsVerify: values["dest-tls-verify"],
        creds: values["dest-creds"],
        authFile: values["dest-authfile"] ?? values.authfile,
      }),
    };
    const copied = await copyBetween(context, openStore(context.env), from, to, options);
    const { digest, mediaType, size } = copied;
    if (values.digestfile !== undefined) writeDigest(values.digestfile, digest);
    const result = { source: formatReference(from), destination: formatReference(to), digest, mediaType, size };
    writeOut(values.json ? `${JSON.stringify(result)}\n` : `${digest}\n`);
    return 0;
  },
});
