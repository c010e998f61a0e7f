/** Manifests on their way to a registry (distribution-spec "Pushing Manifests"). */
import { DevboxError } from "../core/errors.ts";
import type { Digest } from "../oci/descriptor.ts";
import type { Session } from "./session.ts";

export async function putManifest(
  session: Session,
  tagOrDigest: string,
  _bytes: Uint8Array,
  _mediaType: string,
): Promise<{ readonly digest: Digest; readonly subject: boolean }> {
  throw new DevboxError("INTERNAL", {
    step: `push ${session.options.repository} ${tagOrDigest}`,
    because: "not there yet",
  });
}
