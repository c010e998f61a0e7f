/** The config of an image, from its manifest or its source. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { MAX_CONFIG_BYTES } from "../../oci/parse-config.ts";
import { embeddedContent } from "../../oci/verify.ts";
import type { ImageSource } from "./source.ts";

/** Verified. It need not be anywhere but in its descriptor (image-spec descriptor.md "Embedded Content"). */
export async function fetchConfig(source: ImageSource, config: Descriptor): Promise<Uint8Array> {
  return embeddedContent(config) ?? (await source.fetchSmallBlob(config, MAX_CONFIG_BYTES));
}
