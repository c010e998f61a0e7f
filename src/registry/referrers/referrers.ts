/** Who refers to a manifest: signatures, SBOMs, attestations (distribution-spec "Listing Referrers"). */
import { DevboxError } from "../../core/errors.ts";
import { type Descriptor, type Digest, mediaTypes } from "../../oci/descriptor.ts";
import { parseIndex } from "../../oci/parse.ts";
import type { Session } from "../session.ts";
import { fetchPages } from "./pages.ts";
import { fetchReferrersTag } from "./referrers-tag.ts";

/** A bound for registries and for tags that anybody may have written. */
const MAX_REFERRERS = 10_000;

/**
 * By the API; where the registry has none (404), by its tag.
 * @throws BAD_MANIFEST where the answer is no index; REGISTRY_AUTH, REGISTRY_REFUSED, …
 */
export async function listReferrers(
  session: Session,
  subject: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[]> {
  const { registry, repository } = session.options;
  const step = `list the referrers of ${registry}/${repository}@${subject}`;
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const target = `v2/${repository}/referrers/${subject}${query}`;
  const found: Descriptor[] = [];
  let hasApi = false;
  for await (const { bytes, header } of fetchPages(session, { target, accept: mediaTypes.ociIndex, step })) {
    hasApi = true;
    found.push(...parseIndex(bytes, header("content-type"), step).manifests);
    if (found.length <= MAX_REFERRERS) continue;
    throw new DevboxError("REGISTRY_REFUSED", { step, because: `it lists more than ${MAX_REFERRERS}` });
  }
  const all = hasApi ? found : (await fetchReferrersTag(session, subject)).manifests;
  // Filtering is for the registry to do or not (OCI-Filters-Applied); doing it twice changes nothing.
  return artifactType === undefined ? all : all.filter((descriptor) => descriptor.artifactType === artifactType);
}
