/** What a copy is given, and what its parts hand to each other. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Packing } from "../../layer/compress.ts";
import type { ManifestForm } from "../../oci/convert.ts";
import type { Descriptor, Digest, Platform } from "../../oci/descriptor.ts";
import type { Store } from "../../store/types.ts";
import type { ImageDestination } from "../destinations/destination.ts";
import type { ImageSource } from "../sources/source.ts";
import type { BlobCopier } from "./blob.ts";

export interface CopyOptions {
  /** undefined: this machine's; of an index, unless `all`. */
  readonly platform: Platform | undefined;
  /** Every manifest of an index, and the index. */
  readonly all: boolean;
  /** How layers are to be packed; undefined: as they are. With a level, those that are packed so already are packed again. */
  readonly packing: Packing | undefined;
  /** What manifests are to be; undefined: what they are, where the destination can hold it. */
  readonly form?: ManifestForm | undefined;
  /** Under these it is listed in archives and layouts; a registry tags it as its reference says. */
  readonly names: readonly string[];
  /** Fail rather than change a manifest. */
  readonly preserveDigests: boolean;
  /** Repositories of the destination's registry that may have a blob. */
  readonly mountFrom?: (blob: Digest) => readonly string[];
}

/** What was written under the name: the manifest, or with `all` the index. */
export type Copied = Pick<Descriptor, "digest" | "mediaType" | "size">;

export interface CopyWork {
  readonly context: Context;
  readonly store: Store;
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly options: CopyOptions;
  readonly blobs: BlobCopier;
  /** What has become of manifests and indexes that were copied: an index may list one again and again. */
  readonly documents: Map<string, Copied>;
}

/** @throws DevboxError USAGE where digests are to be preserved */
export function refuseChange({ destination, options }: CopyWork, { digest }: Descriptor, because: string): void {
  if (!options.preserveDigests) return;
  throw new DevboxError("USAGE", {
    step: `copy ${digest} to ${destination.label}`,
    because: `its digest would not be preserved: ${because}`,
    hint: "leave --preserve-digests out, or copy to where it can stay as it is: dir:DIR, a registry",
  });
}
