/** Blobs on their way to a registry (distribution-spec "Pushing Blobs"). */
import { DevboxError } from "../core/errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Session } from "./session.ts";

export interface UploadContent {
  readonly descriptor: Descriptor;
  /**
   * The content from `offset` on, or from an earlier offset where its source cannot start in the middle. May be called
   * several times: an upload that broke off goes on from where the registry has it.
   */
  open(offset: number): Promise<{
    readonly stream: AsyncIterable<Uint8Array>;
    readonly offset: number;
  }>;
  /** Repositories of the same registry that have it, it seems: an upload may be spared. At most 3 are asked. */
  readonly mountFrom?: readonly string[];
}

export interface UploadOptions {
  /** Bytes that the registry has, absolute; less than before where an upload must start anew. */
  readonly onProgress?: (doneBytes: number) => void;
}

/** There before; taken over from another repository of the registry; uploaded. */
export type Pushed = "there" | "mounted" | "copied";

export async function hasBlob(session: Session, descriptor: Descriptor): Promise<boolean> {
  throw notYet(session, descriptor.digest);
}

export async function pushBlob(session: Session, content: UploadContent, _options: UploadOptions): Promise<Pushed> {
  throw notYet(session, content.descriptor.digest);
}

function notYet(session: Session, what: string): DevboxError {
  return new DevboxError("INTERNAL", {
    step: `push ${what} to ${session.options.registry}`,
    because: "not there yet",
  });
}
