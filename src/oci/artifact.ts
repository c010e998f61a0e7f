/**
 * Artifacts: files in a registry that are no image (image-spec manifest.md "Guidelines for Artifact Usage"). What a manifest
 * says of its files, and the manifest that says so.
 */
import { DevboxError } from "../core/errors.ts";
import { type Descriptor, mediaTypes } from "./descriptor.ts";
import { digestHex, digestOf } from "./digest.ts";
import type { Index, Manifest } from "./image.ts";

/** Stands where nothing is to be said, but something must stand (manifest.md "Guidance for an Empty Descriptor"). */
const emptyContent = new TextEncoder().encode("{}");
const emptyMediaType = "application/vnd.oci.empty.v1+json";
const emptyDescriptor: Descriptor = {
  mediaType: emptyMediaType,
  digest: digestOf(emptyContent),
  size: emptyContent.byteLength,
};

/** annotations.md "Pre-Defined Annotation Keys". */
const titleKey = "org.opencontainers.image.title";
export const createdKey = "org.opencontainers.image.created";

/** Set by oras where a blob is a directory as tar, which it unpacks. */
const unpackKey = "io.deis.oras.content.unpack";

/** What oras calls an artifact whose maker has not said what it is. */
const unknownArtifactType = "application/vnd.unknown.artifact.v1";

export interface ArtifactFile {
  /** Relative, of one or more names that mean no other directory; unique. */
  readonly path: string;
  readonly descriptor: Descriptor;
  /** Its maker means a directory: the file is a tar of it. */
  readonly isPackedDirectory: boolean;
}

/** RFC 6838 section 4.2, which image-spec descriptor.md "Properties" wants for media types. */
export function isMediaType(text: string): boolean {
  const name = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
  const [type = "", subtype = "", ...more] = text.split("/");
  return name.test(type) && name.test(subtype) && more.length === 0;
}

/** What kind of artifact it is: its own type, or its config's (distribution-spec "Listing Referrers"). */
export function artifactTypeOf({ artifactType, config }: Manifest): string {
  return artifactType ?? config.mediaType;
}

/**
 * The files of an artifact by the titles of its layers; a layer without one is named by its digest, the config is none.
 * @throws BAD_MANIFEST where a title is no path below a directory, or two files have one place
 */
export function artifactFiles({ layers }: Manifest): readonly ArtifactFile[] {
  const files = new Map<string, ArtifactFile>();
  for (const [index, descriptor] of layers.entries()) {
    const title = descriptor.annotations?.[titleKey];
    if (title === undefined && (descriptor.mediaType === emptyMediaType || files.has(digestHex(descriptor.digest)))) {
      continue;
    }
    const path = title === undefined ? digestHex(descriptor.digest) : checkTitle(title, index);
    if (files.has(path)) throw badTitle(path, index, "two files have this name");
    files.set(path, { path, descriptor, isPackedDirectory: descriptor.annotations?.[unpackKey] === "true" });
  }
  for (const { path, descriptor } of files.values()) {
    const directories = [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index));
    const file = directories.find((directory) => files.has(directory));
    if (file !== undefined) throw badTitle(path, layers.indexOf(descriptor), `${file} is a file`);
  }
  return [...files.values()];
}

/** PATH_MAX and NAME_MAX of Linux, in bytes, the NUL left out (limits.h). */
const maxPath = 4095;
const maxName = 255;

function checkTitle(title: string, index: number): string {
  const names = title.split("/");
  const bytes = (text: string): number => Buffer.byteLength(text);
  if (title === "") throw badTitle(title, index, "it is empty");
  if (title.startsWith("/")) throw badTitle(title, index, "it is an absolute path");
  if (names.includes("..")) throw badTitle(title, index, "it leads out of the directory");
  if (names.some((name) => name === "" || name === ".")) throw badTitle(title, index, "it is no plain path");
  // C0, DEL and C1 would say something to the terminal that shows the name.
  if (/\p{Cc}/u.test(title)) throw badTitle(title, index, "it has control characters");
  if (!title.isWellFormed()) throw badTitle(title, index, "it is no text that UTF-8 can write");
  if (bytes(title) > maxPath || names.some((name) => bytes(name) > maxName)) {
    throw badTitle(title, index, "it is longer than Linux allows");
  }
  return title;
}

const maxShown = 100;

function badTitle(title: string, index: number, because: string): DevboxError {
  // As JSON, with what JSON leaves of control characters escaped too.
  const shown = JSON.stringify(title.slice(0, maxShown)).replaceAll(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new DevboxError("BAD_MANIFEST", {
    step: `read the names of an artifact's files: layers[${index}].annotations["${titleKey}"]`,
    because: `${shown}: ${because}`,
    hint: "this artifact is malformed or hostile: do not use it, or ask who made it",
  });
}

export interface ArtifactContents {
  /** undefined: its config says what it is, or else nobody does. */
  readonly artifactType: string | undefined;
  /** undefined: it has none. */
  readonly config: Descriptor | undefined;
  /** With titles, see `titled`. */
  readonly files: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface BuiltArtifact {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
  /** To be stored before the manifest, beside config and files, which name it; undefined: none does. */
  readonly empty: { readonly descriptor: Descriptor; readonly bytes: Uint8Array } | undefined;
}

/** The manifest of an artifact: the same bytes for the same contents. */
export function buildArtifact({ artifactType, config, files, subject, annotations }: ArtifactContents): BuiltArtifact {
  // "artifactType: This MUST be set when config.mediaType is set to the empty value" (manifest.md).
  const type = artifactType ?? (config === undefined ? unknownArtifactType : undefined);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...(type === undefined ? {} : { artifactType: type }),
    config: config ?? emptyDescriptor,
    // One entry at least, for readers that want one ("Guidelines for Artifact Usage", the first case).
    layers: files.length === 0 ? [emptyDescriptor] : files,
    ...(subject === undefined ? {} : { subject: bare(subject) }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations: sorted(annotations) }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const descriptor = { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  const usesEmpty = config === undefined || files.length === 0;
  return {
    manifest,
    bytes,
    descriptor,
    empty: usesEmpty ? { descriptor: emptyDescriptor, bytes: emptyContent } : undefined,
  };
}

/** The descriptor of a file that will be called `title`. @throws BAD_MANIFEST as `artifactFiles` does */
export function titled(descriptor: Descriptor, title: string): Descriptor {
  return { ...descriptor, annotations: { [titleKey]: title } };
}

/**
 * What the referrers of a subject are listed by: annotations and artifactType are the manifest's, or the index's, which need
 * not have any (distribution-spec "Pushing Manifests with Subject").
 */
export function referrerOf({ manifest, descriptor }: Referrer): Descriptor {
  const { annotations } = manifest;
  const artifactType = "config" in manifest ? artifactTypeOf(manifest) : manifest.artifactType;
  return {
    ...bare(descriptor),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

interface Referrer {
  readonly manifest: Manifest | Index;
  readonly descriptor: Descriptor;
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([one], [other]) => (one < other ? -1 : 1)));
}
