/** The tag that stands in for the referrers API (distribution-spec "Referrers Tag Schema"). */
import { DevboxError } from "../core/errors.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import type { Session } from "./session.ts";

export async function putReferrersTag(session: Session, subject: Digest, _referrer: Descriptor): Promise<void> {
  throw new DevboxError("INTERNAL", {
    step: `tag ${session.options.repository} ${subject}`,
    because: "not there yet",
  });
}
