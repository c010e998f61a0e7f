/**
 * The copy engine: an image from any source to any destination, without unpacking it.
 *
 *     manifest ─choose→ blobs side by side ─→ manifest, its bytes kept where the destination can hold them ─→ index
 */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { Packing } from "../layer/compress.ts";
import type { Descriptor, Digest, Platform } from "../oci/descriptor.ts";
import type { Store } from "../store/types.ts";
import type { ImageDestination } from "./destination.ts";
import type { ImageSource } from "./source.ts";

export interface CopyOptions {
  /** undefined: this machine's; of an index, unless `all`. */
  readonly platform: Platform | undefined;
  /** Every manifest of an index, and the index. */
  readonly all: boolean;
  /** How layers are to be packed; undefined: as they are. With a level, those that are packed so already are packed again. */
  readonly packing: Packing | undefined;
  /** Under these it is listed in archives and layouts; a registry tags it as its reference says. */
  readonly names: readonly string[];
  /** Fail rather than change a manifest. */
  readonly preserveDigests: boolean;
  /** Repositories of the destination's registry that may have a blob. */
  readonly mountFrom?: (blob: Digest) => readonly string[];
}

/** What was written under the name: the manifest, or with `all` the index. */
export type Copied = Pick<Descriptor, "digest" | "mediaType" | "size">;

/**
 * The caller commits the destination, after the last of its images.
 * @param store for the temporary files of layers that are packed anew
 * @throws DevboxError of both sides; NO_MATCHING_PLATFORM; UNSUPPORTED_MEDIA_TYPE what the destination cannot hold
 */
export async function copyImage(
  _context: Context,
  _store: Store,
  _source: ImageSource,
  destination: ImageDestination,
  _options: CopyOptions,
): Promise<Copied> {
  throw new DevboxError("INTERNAL", { step: `copy to ${destination.label}`, because: "not made yet" });
}
