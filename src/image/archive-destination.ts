/** Archives as destinations: one tar file or stream of several images. Layers that they share are in it once. */
import { DevboxError } from "../core/errors.ts";
import type { ImageDestination } from "./destination.ts";

export type ArchiveKind = "oci-archive" | "docker-archive";

/** file: absolute path; written beside and renamed at `commit`. fd: a stream that is written from its beginning on, and not closed. */
export type ArchiveOutput =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "fd"; readonly fd: number };

/** @param label for error texts */
export function openArchiveDestination(kind: ArchiveKind, _output: ArchiveOutput, label: string): ImageDestination {
  throw new DevboxError("INTERNAL", { step: `open ${label}`, because: `${kind} is not made yet` });
}
