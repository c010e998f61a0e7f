/** devbox image verify: is all of an image as it was? */

import type { Damage } from "../../../image/verify/damage.ts";
import type { VerifiedImage } from "../../../image/verify/verify.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../../command.ts";
import { familiar } from "../../format/image-name.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "image verify", description: "Check blobs and layers of images, and repair what is damaged" },
  args: {
    image: {
      type: "positional",
      required: false,
      variadic: true,
      completes: "images",
      description: "Image references or ids; default: all",
    },
    repair: { type: "boolean", description: "Fetch damaged blobs again, and replace damaged layers" },
    "tls-verify": {
      type: "boolean",
      default: true,
      description: "Verify certificates, and speak https with all but loopback",
      negativeDescription: "Accept any certificate, and plain http",
    },
    ...progressOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox image verify", "every image; ends with status 1 when one is damaged"],
    ["devbox image verify --repair debian:12", "what is whole is not touched"],
  ],
  notes: [
    "Every blob is hashed, and every layer made anew from its blob and compared with the one on disk: this takes as long as \
applying the image, and as much room.",
    "A layer that a living box has mounted is not replaced.",
  ],
  async run(values) {
    using context = openContext(values);
    const { verifyImages } = await import("../../../image/verify/verify.ts");
    const { readHostFacts } = await import("../../../host/read-facts.ts");
    const { openStore } = await import("../../../store/open.ts");
    const options = { images: values.image, repair: values.repair ?? false, tlsVerify: values["tls-verify"] };
    const images = await verifyImages(context, openStore(context.env), readHostFacts(context.env), options);
    if (values.json) writeOut(`${JSON.stringify(images)}\n`);
    else if (!values.quiet) writeOut(images.map(describeImage).join(""));
    return images.every(({ isWhole }) => isWhole) ? 0 : 1;
  },
});

export function describeImage({ names, digest, damages, isWhole }: VerifiedImage): string {
  const title = names.length === 0 ? digest : names.map(familiar).join(", ");
  const verdict = damages.length === 0 ? "ok" : isWhole ? "repaired" : "damaged";
  return `${title}: ${verdict}\n${damages
    .flatMap(describeDamage)
    .map((line) => `${line}\n`)
    .join("")}`;
}

function describeDamage({ part, digest, because, differences = [], count = 0, repair }: Damage): readonly string[] {
  const more = count - differences.length;
  const outcome = repair.kind === "none" ? "" : repair.kind === "mended" ? " (repaired)" : " (not repaired)";
  return [
    `  ${partNames[part]} ${digest}: ${because}${outcome}`,
    ...differences.map(({ path, what }) => `    ${path}: ${what}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...(repair.kind === "failed" ? [`    because: ${repair.because}`] : []),
  ];
}

const partNames: Readonly<Record<Damage["part"], string>> = {
  index: "index",
  manifest: "manifest",
  config: "config",
  blob: "blob",
  layer: "layer",
  record: "record of layer",
};
