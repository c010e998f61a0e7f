/**
 * The tag that stands in for the referrers API where a registry has none: an index of those that refer to a manifest, kept up
 * by its clients (distribution-spec "Referrers Tag Schema", "Pushing Manifests with Subject").
 */
import { DevboxError } from "../../core/errors.ts";
import { type Descriptor, type Digest, mediaTypes } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestHex } from "../../oci/digest.ts";
import { parseIndex } from "../../oci/parse.ts";
import { fetchManifest } from "../pull/manifest.ts";
import { putManifest } from "../push/push-manifest.ts";
import type { Session } from "../session.ts";

/** `sha256-HEX`: a tag takes no colon, and no more than 128 characters, so the hex is cut to 64. */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`;
}

interface ReferrersIndex {
  readonly manifests: readonly Descriptor[];
  /** As it is stored: what other clients wrote beside what devbox knows must stay. */
  readonly document: object;
}

const none: ReferrersIndex = {
  manifests: [],
  document: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
};

/** @throws BAD_MANIFEST where something else has this tag. */
export async function fetchReferrersTag(session: Session, subject: Digest): Promise<ReferrersIndex> {
  const tag = referrersTag(subject);
  const step = `read the referrers in ${session.options.registry}/${session.options.repository}:${tag}`;
  try {
    const { bytes, descriptor } = await fetchManifest(session, tag);
    const { manifests } = parseIndex(bytes, descriptor.mediaType, step);
    return { manifests, document: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch (error) {
    if (error instanceof DevboxError && error.code === "REGISTRY_NOT_FOUND") return none;
    throw error;
  }
}

/**
 * Registries cannot be asked to write only where nothing has changed meanwhile, so what another client wrote at the same time
 * may overwrite this: it is read again, and written again where it is not in.
 * @throws REGISTRY_REFUSED where it does not stay in after as many tries as requests are given.
 */
export async function putReferrersTag(session: Session, subject: Digest, referrer: Descriptor): Promise<void> {
  const tag = referrersTag(subject);
  for (let tries = 0; tries < session.options.retry.attempts; tries++) {
    const { document, manifests } = await fetchReferrersTag(session, subject);
    if (manifests.some(({ digest }) => digest === referrer.digest)) return;
    const listed = "manifests" in document && Array.isArray(document.manifests) ? document.manifests : [];
    const bytes = new TextEncoder().encode(JSON.stringify({ ...document, manifests: [...listed, referrer] }));
    await putManifest(session, tag, bytes, mediaTypes.ociIndex);
  }
  const { manifests } = await fetchReferrersTag(session, subject);
  if (manifests.some(({ digest }) => digest === referrer.digest)) return;
  const step = `list ${referrer.digest} in ${session.options.registry}/${session.options.repository}:${tag}`;
  throw new DevboxError("REGISTRY_REFUSED", { step, because: "others write this tag at the same time; try again" });
}
