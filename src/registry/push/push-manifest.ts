/** Manifests and indexes on their way to a registry (distribution-spec "Pushing Manifests", "Pushing Manifests with Subject"). */
import { DevboxError } from "../../core/errors.ts";
import type { Digest } from "../../oci/descriptor.ts";
import { digestAlgorithm, digestOf, isDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/parse.ts";
import type { Session } from "../session.ts";
import { pushError } from "./push-error.ts";
import { checkReportedDigest } from "./upload-session.ts";

export interface StoredManifest {
  readonly digest: Digest;
  /** The registry lists it among the referrers of its subject (OCI-Subject). */
  readonly subject: boolean;
}

/** @throws DIGEST_MISMATCH, REGISTRY_AUTH, REGISTRY_REFUSED, …; under a digest that is not its own it is not sent at all. */
export async function putManifest(
  session: Session,
  reference: string,
  bytes: Uint8Array,
  mediaType: string,
): Promise<StoredManifest> {
  const { registry, repository } = session.options;
  const isByDigest = isDigest(reference);
  const step = `push manifest ${registry}/${repository}${isByDigest ? "@" : ":"}${reference}`;
  const digest = digestOf(bytes, isByDigest ? digestAlgorithm(reference) : "sha256");
  if (isByDigest && digest !== reference) {
    throw new DevboxError("DIGEST_MISMATCH", { step, because: `the manifest is ${digest}` });
  }
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    const because = `it has ${bytes.byteLength} bytes; registries take ${MAX_MANIFEST_BYTES}`;
    throw new DevboxError("REGISTRY_REFUSED", {
      step,
      because,
      hint: "an image of fewer layers or annotations is needed",
    });
  }
  const target = `v2/${repository}/manifests/${reference}`;
  const headers = { "content-type": mediaType };
  // As often as it takes: the same bytes under the same name change nothing.
  const response = await session.send({ method: "PUT", target, headers, body: bytes, step });
  // 201 by the specification; what is stored is what counts.
  if (response.status < 200 || response.status > 299) throw await pushError(session, response, step);
  await response.discard();
  checkReportedDigest(response, { digest }, step);
  return { digest, subject: response.header("oci-subject") !== undefined };
}
