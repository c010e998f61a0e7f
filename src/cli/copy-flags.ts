/** Flags of the commands that send images somewhere: `push` and `copy`. */

import type { CopyOptions } from "../image/copy/copy-image.ts";
import type { ArgumentDefs, Values } from "./command.ts";
import { packingOptions } from "./packing-flags.ts";
import { platformOption, readPlatform } from "./platform-flag.ts";

export const copyOptions = {
  all: { type: "boolean", alias: "a", description: "Every platform of an index, and the index" },
  "multi-arch": {
    type: "enum",
    options: ["all", "system"],
    description: "skopeo's word for --all, and for the default",
  },
  platform: {
    ...platformOption,
    description: "Platform to take from an index; default: this machine's",
  },
  ...packingOptions,
  compression: { ...packingOptions.compression, description: "Pack layers so; default: as they are" },
  // podman push and skopeo copy.
  "compression-format": { ...packingOptions.compression, hidden: true },
  "compression-level": { ...packingOptions.level, hidden: true },
  "dest-compress-format": { ...packingOptions.compression, hidden: true },
  "dest-compress-level": { ...packingOptions.level, hidden: true },
  format: {
    type: "enum",
    alias: "f",
    options: ["oci", "v2s2"],
    description: "Make manifests OCI's or docker's; default: as they are, where that can be held",
  },
  "preserve-digests": { type: "boolean", description: "Fail rather than change a manifest" },
  digestfile: { type: "string", valueHint: "FILE", completes: "files", description: "Write the digest to a file" },
} as const satisfies ArgumentDefs;

/** @throws DevboxError USAGE, BAD_PLATFORM */
export async function readCopyOptions(
  values: Values<typeof copyOptions>,
): Promise<Omit<CopyOptions, "names" | "mountFrom">> {
  const { parsePacking } = await import("../image/make/packing.ts");
  return {
    all: values.all ?? values["multi-arch"] === "all",
    platform: await readPlatform(values.platform),
    packing: parsePacking(
      values.compression ?? values["compression-format"] ?? values["dest-compress-format"],
      values.level ?? values["compression-level"] ?? values["dest-compress-level"],
    ),
    form: values.format === "v2s2" ? "docker" : values.format,
    preserveDigests: values["preserve-digests"] ?? false,
  };
}
