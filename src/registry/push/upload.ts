/**
 * Blobs on their way to a registry (distribution-spec "Pushing Blobs"): not sent where they are, taken over from another
 * repository where that has them, else uploaded, in one request or in parts.
 */
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Session } from "../session.ts";
import { uploadParts } from "./upload-parts.ts";
import { hasBlob, mountOrOpen } from "./upload-session.ts";

export interface UploadContent {
  readonly descriptor: Descriptor;
  /**
   * The content from `offset` on, or from an earlier offset where its source cannot start in the middle. May be called
   * several times: an upload that broke off goes on from where the registry has it.
   */
  open(offset: number): Promise<{ readonly stream: AsyncIterable<Uint8Array>; readonly offset: number }>;
  /** Repositories of the same registry that have it, it seems: an upload may be spared. At most 3 are asked. */
  readonly mountFrom?: readonly string[];
}

export interface UploadOptions {
  /** Bytes that the registry has taken, absolute; less than before where it has lost some. */
  readonly onProgress?: (doneBytes: number) => void;
}

/** There before; taken over from another repository of the registry; uploaded. */
export type Pushed = "there" | "mounted" | "copied";

/**
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH where the content is not what its descriptor says; REGISTRY_AUTH, REGISTRY_REFUSED,
 * REGISTRY_UNREACHABLE, INTERRUPTED; what `content.open` and its stream throw. Nothing is stored then.
 */
export async function pushBlob(session: Session, content: UploadContent, options: UploadOptions): Promise<Pushed> {
  const { descriptor, mountFrom = [] } = content;
  if (await hasBlob(session, descriptor)) return "there";
  const opened = await mountOrOpen(session, descriptor, mountFrom);
  if (opened === "mounted") return "mounted";
  await uploadParts(session, content, opened, options.onProgress ?? (() => {}));
  return "copied";
}
