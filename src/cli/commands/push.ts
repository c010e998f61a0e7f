/** devbox push: an image of the store to a registry, or into files. */
import { accessOptions, readOneAccess } from "../access-flags.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { copyOptions, readCopyOptions } from "../copy-flags.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "push", description: "Send an image to a registry, or into a directory or archive" },
  args: {
    image: { type: "positional", completes: "images", description: "Name or id of an image that is here" },
    destination: {
      type: "positional",
      required: false,
      description: "Name there, or files such as oci:DIR; default: where its own name leads",
    },
    ...copyOptions,
    ...accessOptions,
    ...progressOptions,
    verbose: { ...progressOptions.verbose, alias: "v" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox push ghcr.io/owner/image:1.0", "to where its name says; prints the digest there"],
    ["devbox push image localhost:5000/image:1.0", "under another name"],
    ["devbox push --all debian:12 oci:DIR:debian", "all platforms, which pull --all-platforms has brought"],
    ["devbox push --compression zstd --level 12 image", "packed anew"],
  ],
  notes: [
    "Files: oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME], dir:DIR (skopeo's).",
    "What the registry has is not sent again. What another repository of it has is mounted.",
    "An upload that breaks off is gone on with.",
    "--level packs layers anew, also those that are packed so already.",
  ],
  async run(values) {
    using context = openContext(values);
    const { readName } = await import("../../image/names/short-names.ts");
    const { pushImage } = await import("../../image/copy/push.ts");
    const { writeDigest } = await import("../../image/destinations/write-file.ts");
    const { familiarName, formatReference } = await import("../../oci/reference.ts");
    const { openStore } = await import("../../store/open.ts");
    const options = { ...(await readCopyOptions(values)), ...(await readOneAccess(values)) };
    const target = values.destination === undefined ? undefined : readName(values.destination, context.env);
    const pushed = await pushImage(context, openStore(context.env), values.image, target, options);
    const { destination, digest, mediaType, size } = pushed;
    if (values.digestfile !== undefined) writeDigest(values.digestfile, digest);
    const name = familiarName(destination);
    const tag = destination.kind === "registry" ? (destination.tag ?? name) : name;
    const text = values.quiet ? name : `${tag}: digest: ${digest} size: ${size}`;
    const result = { image: values.image, destination: formatReference(destination), digest, mediaType, size };
    writeOut(values.json ? `${JSON.stringify(result)}\n` : `${text}\n`);
    return 0;
  },
});
