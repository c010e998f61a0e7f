/** Descriptors, manifests and indexes from bytes (image-spec descriptor.md, manifest.md, image-index.md; docker's schema 2). */
import { DevboxError } from "../core/errors.ts";
import { type Descriptor, type Digest, mediaTypes, type Platform } from "./descriptor.ts";
import { digestProblem, isDigest } from "./digest.ts";
import type { Index, Manifest } from "./image.ts";
import {
  expected,
  fail,
  isAbsent,
  type JsonPlace,
  member,
  optional,
  parseJson,
  readArray,
  readInteger,
  readString,
  readStringMap,
  readStrings,
} from "./json.ts";
import { checkConfigMediaType, layerFormat, refuseMediaType } from "./media-type.ts";

/** Bytes. Registries refuse larger ones too (distribution-spec "Pushing Manifests"). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Far above what overlayfs can stack; a bound for hostile manifests. */
export const MAX_LAYERS = 1000;

export type ManifestDocument =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly index: Index };

/**
 * Read what a registry or layout answered for a reference: an image manifest or an index.
 * `mediaType`: from Content-Type or the descriptor; undefined or generic (`application/json`): judged by the content.
 * @throws BAD_MANIFEST naming the place; UNSUPPORTED_MEDIA_TYPE naming the type, of a config or layer too.
 */
export function parseManifestDocument(
  bytes: Uint8Array,
  mediaType?: string,
  step = "read image manifest",
): ManifestDocument {
  const document = parseAnyManifest(bytes, mediaType, step);
  if (document.kind === "manifest") requireImage(document.manifest);
  return document;
}

/**
 * As `parseManifestDocument`, whatever its config and layers are: also an artifact (image-spec manifest.md "Guidelines for
 * Artifact Usage"). For who copies and lists without understanding.
 */
export function parseAnyManifest(
  bytes: Uint8Array,
  mediaType?: string,
  step = "read image manifest",
): ManifestDocument {
  const root = parseJson(bytes, { code: "BAD_MANIFEST", step }, MAX_MANIFEST_BYTES);
  const type = documentType(root, mediaType);
  if (indexTypes.includes(type)) return { kind: "index", index: readIndex(root, type) };
  return { kind: "manifest", manifest: readManifest(root, type) };
}

/** @throws UNSUPPORTED_MEDIA_TYPE naming what is none of an image's */
function requireImage({ config, layers }: Manifest): void {
  checkConfigMediaType(config.mediaType);
  for (const { mediaType } of layers) layerFormat(mediaType);
}

/** Read an image manifest; an index, an artifact (a config that is no image's) or an unknown layer type is refused by name. */
export function parseManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const document = parseManifestDocument(bytes, mediaType);
  if (document.kind === "manifest") return document.manifest;
  throw new DevboxError("BAD_MANIFEST", { step: "read image manifest", because: "it is an image index" });
}

/** Read an image index or docker manifest list. */
export function parseIndex(bytes: Uint8Array, mediaType?: string, step = "read image index"): Index {
  const document = parseManifestDocument(bytes, mediaType, step);
  if (document.kind === "index") return document.index;
  throw new DevboxError("BAD_MANIFEST", { step, because: "it is an image manifest" });
}

const manifestTypes: readonly string[] = [mediaTypes.ociManifest, mediaTypes.dockerManifest];
const indexTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerManifestList];
const genericTypes: readonly string[] = ["application/json", "text/plain", "application/octet-stream", "text/html"];

/**
 * Which of the four document types this is. Header, `mediaType` member and shape must agree: a document that is a
 * manifest to one reader and an index to another has one digest and two meanings (CVE-2021-41190).
 */
function documentType(root: JsonPlace, header: string | undefined): string {
  const version = member(root, "schemaVersion");
  const written = isAbsent(member(root, "mediaType")) ? undefined : readString(member(root, "mediaType"));
  const sent = header?.split(";")[0]?.trim().toLowerCase();
  const told = sent === undefined || sent === "" || genericTypes.includes(sent) ? undefined : sent;
  if (version.value === 1) return refuseMediaType(told ?? written ?? "docker schema 1", "image manifest");
  if (version.value !== 2) expected(version, "2");
  if (told !== undefined && written !== undefined && told !== written) {
    fail(member(root, "mediaType"), `expected ${told} as the registry announced it, got ${written}`);
  }
  const shape = isAbsent(member(root, "manifests")) ? mediaTypes.ociManifest : mediaTypes.ociIndex;
  const type = told ?? written ?? shape;
  if (!manifestTypes.includes(type) && !indexTypes.includes(type)) return refuseMediaType(type, "image manifest");
  for (const key of indexTypes.includes(type) ? ["config", "layers"] : ["manifests"]) {
    if (!isAbsent(member(root, key))) fail(member(root, key), `not allowed in ${type}`);
  }
  return type;
}

function readManifest(root: JsonPlace, mediaType: string): Manifest {
  return {
    schemaVersion: 2,
    mediaType,
    ...optional(root, "artifactType", readString),
    config: readDescriptor(member(root, "config")),
    layers: readArray(member(root, "layers"), readDescriptor, MAX_LAYERS),
    ...optional(root, "subject", readDescriptor),
    ...optional(root, "annotations", readStringMap),
  };
}

function readIndex(root: JsonPlace, mediaType: string): Index {
  return {
    schemaVersion: 2,
    mediaType,
    ...optional(root, "artifactType", readString),
    manifests: readArray(member(root, "manifests"), readDescriptor),
    ...optional(root, "subject", readDescriptor),
    ...optional(root, "annotations", readStringMap),
  };
}

/** Read a descriptor at a place of a JSON document. */
export function readDescriptor(place: JsonPlace): Descriptor {
  return {
    mediaType: readString(member(place, "mediaType")),
    digest: readDigest(member(place, "digest")),
    size: readInteger(member(place, "size")),
    ...optional(place, "urls", readStrings),
    ...optional(place, "annotations", readStringMap),
    ...optional(place, "data", readString),
    ...optional(place, "artifactType", readString),
    ...optional(place, "platform", readPlatform),
  };
}

/** Read a descriptor that is a document of its own. */
export function parseDescriptor(value: unknown, step = "read descriptor"): Descriptor {
  return readDescriptor({ value, path: "", document: { code: "BAD_MANIFEST", step } });
}

export function readDigest(place: JsonPlace): Digest {
  const text = readString(place);
  return isDigest(text) ? text : fail(place, digestProblem(text) ?? "not a digest");
}

function readPlatform(place: JsonPlace): Platform {
  return {
    os: readString(member(place, "os")),
    architecture: readString(member(place, "architecture")),
    ...optional(place, "variant", readString),
    ...optional(place, "os.version", readString),
    ...optional(place, "os.features", readStrings),
  };
}
