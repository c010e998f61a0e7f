/** The spec registry's manifests, tags and referrers. */
import { mediaTypes } from "../../src/oci/descriptor.ts";
import { digestOf, isDigest } from "../../src/oci/digest.ts";
import type { SpecRegistryOptions } from "./spec-registry.ts";
import { type Answer, errorAnswer, jsonAnswer, type Repository, tagPattern } from "./spec-registry-answers.ts";

/** distribution-spec "Pushing Manifests": registries should take at least this much; this one takes no more. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

interface Written {
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config?: { readonly mediaType: string; readonly digest: string };
  readonly layers?: readonly { readonly digest: string; readonly urls?: readonly string[] }[];
  readonly manifests?: readonly { readonly digest: string }[];
  readonly subject?: { readonly digest: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export async function answerManifests(
  request: Request,
  place: Repository,
  reference: string,
  options: SpecRegistryOptions,
): Promise<Answer> {
  if (!isDigest(reference) && !tagPattern.test(reference)) {
    return errorAnswer(400, "TAG_INVALID", `neither tag nor digest: ${reference}`);
  }
  if (request.method === "PUT") {
    return putManifest(place, reference, request, new Uint8Array(await request.arrayBuffer()), options);
  }
  const digest = place.tags.get(reference) ?? reference;
  const found = place.manifests.get(digest);
  if (found === undefined) return errorAnswer(404, "MANIFEST_UNKNOWN", "manifest unknown");
  if (request.method === "DELETE") {
    if (place.tags.delete(reference)) return { status: 202, headers: {} };
    place.manifests.delete(digest);
    for (const [tag, named] of place.tags) if (named === digest) place.tags.delete(tag);
    return { status: 202, headers: {} };
  }
  const headers = { "content-type": found.mediaType, "docker-content-digest": digest };
  return { status: 200, headers, body: found.bytes };
}

function putManifest(
  place: Repository,
  reference: string,
  request: Request,
  bytes: Uint8Array,
  options: SpecRegistryOptions,
): Answer {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) return errorAnswer(413, "SIZE_INVALID", "the manifest is too large");
  const digest = digestOf(bytes, reference.startsWith("sha512:") ? "sha512" : "sha256");
  if (isDigest(reference) && reference !== digest) {
    return errorAnswer(400, "DIGEST_INVALID", `the manifest is ${digest}`);
  }
  const mediaType = request.headers.get("content-type") ?? "";
  const document = readWritten(bytes);
  if (document === undefined) return errorAnswer(400, "MANIFEST_INVALID", "no JSON object");
  // The header must be the document's own mediaType where it has one (distribution-spec "Pushing Manifests").
  if (document.mediaType !== undefined && document.mediaType !== mediaType) {
    return errorAnswer(400, "MANIFEST_INVALID", `Content-Type ${mediaType} and mediaType ${document.mediaType} differ`);
  }
  const unknown = missing(place, document);
  if (unknown !== undefined) return errorAnswer(400, "MANIFEST_BLOB_UNKNOWN", `blob unknown to registry: ${unknown}`);
  place.manifests.set(digest, { bytes, mediaType });
  if (!isDigest(reference)) place.tags.set(reference, digest);
  const subject = options.referrers === false ? undefined : document.subject?.digest;
  return {
    status: 201,
    headers: {
      location: `/v2/${place.name}/manifests/${digest}`,
      "docker-content-digest": digest,
      ...(subject === undefined ? {} : { "oci-subject": subject }),
    },
  };
}

function readWritten(bytes: Uint8Array): Written | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return typeof document === "object" && document !== null ? document : undefined;
  } catch {
    return undefined;
  }
}

/** The first blob or manifest that is named and not there. A subject may be missing, and what has urls lies elsewhere. */
function missing(place: Repository, document: Written): string | undefined {
  const config = document.config === undefined ? [] : [document.config];
  const layers = (document.layers ?? []).filter(({ urls }) => urls === undefined || urls.length === 0);
  const blob = [...config, ...layers].find(({ digest }) => !place.blobs.has(digest));
  return (blob ?? document.manifests?.find(({ digest }) => !place.manifests.has(digest)))?.digest;
}

/** "Listing Tags": sorted, `n` at a time, from the one after `last`. */
export function answerTags(url: URL, place: Repository): Answer {
  const last = url.searchParams.get("last") ?? "";
  const n = Number(url.searchParams.get("n") ?? Number.POSITIVE_INFINITY);
  const rest = [...place.tags.keys()].sort().filter((tag) => tag > last);
  const tags = rest.slice(0, n);
  const next = `/v2/${place.name}/tags/list?n=${n}&last=${tags.at(-1)}`;
  const more = rest.length > n && n > 0;
  return jsonAnswer(200, { name: place.name, tags }, more ? { link: `<${next}>; rel="next"` } : {});
}

/** "Listing Referrers": an index of descriptors, empty where there are none; 404 only where the API is not there. */
export function answerReferrers(url: URL, place: Repository, subject: string, options: SpecRegistryOptions): Answer {
  if (options.referrers === false) return errorAnswer(404, "UNSUPPORTED", "no referrers API");
  if (!isDigest(subject)) return errorAnswer(400, "DIGEST_INVALID", "no digest");
  const wanted = options.filtersReferrers === false ? null : url.searchParams.get("artifactType");
  const found = [...place.manifests].flatMap(([digest, manifest]) => {
    const document = readWritten(manifest.bytes);
    if (document?.subject?.digest !== subject) return [];
    const artifactType = document.artifactType ?? document.config?.mediaType;
    if (wanted !== null && artifactType !== wanted) return [];
    const { annotations } = document;
    const size = manifest.bytes.byteLength;
    return [{ mediaType: manifest.mediaType, digest, size, artifactType, annotations }];
  });
  const from = Number(url.searchParams.get("from") ?? 0);
  const size = options.referrersPageSize ?? found.length;
  const headers: Record<string, string> = { "content-type": mediaTypes.ociIndex };
  if (wanted !== null) headers["oci-filters-applied"] = "artifactType";
  if (from + size < found.length) {
    const query = new URLSearchParams({
      from: String(from + size),
      ...(wanted === null ? {} : { artifactType: wanted }),
    });
    headers["link"] = `</v2/${place.name}/referrers/${subject}?${query}>; rel="next"`;
  }
  const manifests = found.slice(from, from + size);
  return jsonAnswer(200, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, headers);
}
