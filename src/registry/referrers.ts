/** Who refers to a manifest (distribution-spec "Listing Referrers"). */
import { DevboxError } from "../core/errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import type { Session } from "./session.ts";

export async function listReferrers(
  session: Session,
  subject: Digest,
  _artifactType: string | undefined,
): Promise<readonly Descriptor[]> {
  throw new DevboxError("INTERNAL", {
    step: `list ${session.options.repository} ${subject}`,
    because: "not there yet",
  });
}
