/** What `verify` finds, and what it works with. */
import type { HostFacts } from "../../host/facts.ts";
import type { TreeDifference } from "../../layer/protocol.ts";
import type { Digest } from "../../oci/descriptor.ts";
import type { Store } from "../../store/types.ts";
import type { Cancellable } from "../workers/cancellable.ts";
import type { Origins } from "./origins.ts";

/** A part of an image that is not as it should be. */
export interface Damage {
  /** `index`: that the image was chosen from; `blob`: the compressed layer; `layer`: its tree on disk; `record`: what is written down about that. */
  readonly part: "index" | "manifest" | "config" | "blob" | "layer" | "record";
  /** Of the blob; of a layer and its record, the chainID. */
  readonly digest: Digest;
  /** `missing`, `it has 10 bytes where 12 were announced`. */
  readonly because: string;
  /** Of a layer, the first paths that differ. */
  readonly differences?: readonly TreeDifference[];
  /** Of a layer, how many paths differ. */
  readonly count?: number;
  readonly repair: Repair;
}

/** `none`: it was not asked for. */
export type Repair =
  | { readonly kind: "none" }
  | { readonly kind: "mended" }
  | { readonly kind: "failed"; readonly because: string };

export function isMended({ repair }: Damage): boolean {
  return repair.kind === "mended";
}

export interface VerifyWork extends Cancellable {
  readonly store: Store;
  readonly facts: HostFacts;
  readonly repair: boolean;
  readonly origins: Origins;
}
