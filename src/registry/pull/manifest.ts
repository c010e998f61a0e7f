/** Manifests and indexes by tag or digest (distribution-spec "Pulling manifests"): their descriptors and bytes. */
import { type Descriptor, type Digest, mediaTypes } from "../../oci/descriptor.ts";
import { digestOf, isDigest } from "../../oci/digest.ts";
import { MAX_MANIFEST_BYTES, parseAnyManifest } from "../../oci/parse.ts";
import { embeddedContent, verifyContent } from "../../oci/verify.ts";
import { readAll } from "../http/body.ts";
import type { HttpResponse } from "../http/http-client.ts";
import { responseError } from "../response-error.ts";
import type { Session } from "../session.ts";

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  /** Verified against `descriptor`. */
  readonly bytes: Uint8Array;
}

const manifestTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerManifestList,
  mediaTypes.dockerManifest,
];

/**
 * The descriptor of a tag or digest, by HEAD where the registry answers that in full, else by GET.
 * @throws REGISTRY_NOT_FOUND, REGISTRY_AUTH, … as `fetchManifest` does.
 */
export async function resolveManifest(session: Session, reference: string): Promise<Descriptor> {
  const step = describeStep(session, "resolve", reference);
  const response = await send(session, "HEAD", reference, step);
  await response.discard();
  const described = response.status === 200 ? describeHead(response, reference) : undefined;
  // Also for errors: the answer to HEAD has no body, so only GET tells why.
  return described ?? (await fetchManifest(session, reference)).descriptor;
}

/** What HEAD says, if all of it is there and known. Nothing is trusted by it: the content is verified when fetched. */
function describeHead(response: HttpResponse, reference: string): Descriptor | undefined {
  const digest = response.header("docker-content-digest");
  const size = response.header("content-length") ?? "";
  const mediaType = contentType(response);
  if (digest === undefined || !isDigest(digest) || !/^[1-9]\d{0,9}$/.test(size)) return undefined;
  if (mediaType === undefined || !manifestTypes.includes(mediaType)) return undefined;
  if (isDigest(reference) && digest !== reference) return undefined;
  return { mediaType, digest, size: Number(size) };
}

/**
 * The bytes of a manifest or index, verified. A tag is verified against the registry's own Docker-Content-Digest; a
 * digest or descriptor against itself. Whether it is an image's or an artifact's is for the caller to look at.
 * @throws REGISTRY_NOT_FOUND, REGISTRY_AUTH, DIGEST_MISMATCH, SIZE_MISMATCH, BAD_MANIFEST, UNSUPPORTED_MEDIA_TYPE.
 */
export async function fetchManifest(session: Session, wanted: string | Descriptor): Promise<FetchedManifest> {
  const reference = typeof wanted === "string" ? wanted : wanted.digest;
  const embedded = typeof wanted === "string" ? undefined : embeddedContent(wanted);
  if (typeof wanted !== "string" && embedded !== undefined) return { descriptor: wanted, bytes: embedded };
  const step = describeStep(session, "fetch", reference);
  const response = await send(session, "GET", reference, step);
  if (response.status !== 200) throw await responseError(response, step);
  const bytes = await readAll(response.body);
  const digest = expectedDigest(response, reference, bytes);
  const size = typeof wanted === "string" ? bytes.byteLength : wanted.size;
  verifyContent(bytes, { digest, size }, step);
  const sent = typeof wanted === "string" ? contentType(response) : wanted.mediaType;
  const document = parseAnyManifest(bytes, sent);
  const { mediaType } = document.kind === "index" ? document.index : document.manifest;
  return { descriptor: typeof wanted === "string" ? { mediaType, digest, size } : wanted, bytes };
}

function send(session: Session, method: "GET" | "HEAD", reference: string, step: string): Promise<HttpResponse> {
  const target = `v2/${session.options.repository}/manifests/${reference}`;
  const headers = { accept: manifestTypes.join(", ") };
  return session.send({ method, target, headers, step, bufferBytes: MAX_MANIFEST_BYTES });
}

function expectedDigest(response: HttpResponse, reference: string, bytes: Uint8Array): Digest {
  if (isDigest(reference)) return reference;
  const announced = response.header("docker-content-digest");
  return announced !== undefined && isDigest(announced) ? announced : digestOf(bytes);
}

/** The media type without parameters; undefined: none was sent. */
function contentType(response: HttpResponse): string | undefined {
  return response.header("content-type")?.split(";")[0]?.trim().toLowerCase() || undefined;
}

function describeStep(session: Session, verb: string, reference: string): string {
  const { registry, repository } = session.options;
  return `${verb} ${registry}/${repository}${isDigest(reference) ? "@" : ":"}${reference}`;
}
