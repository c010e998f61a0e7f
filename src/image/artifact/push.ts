/** Artifacts on their way out: files of this machine under a name of a registry, bound to an image or not. */
import { createReadStream, statSync } from "node:fs";
import { basename, isAbsolute, normalize } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { once } from "../../core/streams.ts";
import {
  artifactFiles,
  type BuiltArtifact,
  buildArtifact,
  createdKey,
  referrerOf,
  titled,
} from "../../oci/artifact.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { sha256Digest, shortDigest } from "../../oci/digest.ts";
import { familiarName, type RegistryReference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import type { RegistryClient } from "../../registry/client.ts";
import type { UploadContent } from "../../registry/push/upload.ts";
import { attempt } from "../destinations/write-file.ts";
import { sourceDate } from "../make/creation-time.ts";
import { chunkBytes } from "../sources/file-tree.ts";
import { openArtifactRegistry } from "./referrers.ts";

export interface FileToPush {
  readonly path: string;
  readonly mediaType: string;
}

export interface ArtifactPush {
  /** Their titles are their paths, or only the last names of those that lead elsewhere than below the working directory. */
  readonly files: readonly FileToPush[];
  readonly config: FileToPush | undefined;
  readonly artifactType: string | undefined;
  /** Of the same repository. */
  readonly subject: RegistryReference | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** false: it gets no tag, and is named by its digest, or by its subject, alone. */
  readonly tagged: boolean;
  readonly access: RegistryAccess;
}

/**
 * Deterministic: equal files make equal artifacts. The annotation `created` is there when SOURCE_DATE_EPOCH or an
 * annotation gives it.
 * @throws DevboxError USAGE where the subject is elsewhere; COPY_FAILED where a file cannot be read; BAD_MANIFEST where two
 * files would have one name; what the registry client throws
 */
export async function pushArtifact(
  context: Context,
  reference: RegistryReference,
  push: ArtifactPush,
): Promise<BuiltArtifact> {
  const { access, subject: subjectName, tagged } = push;
  if (subjectName !== undefined) requireSameRepository(reference, subjectName);
  const files = await Promise.all(push.files.map(describeFile));
  const config = push.config && (await describeFile(push.config));
  await using client = openArtifactRegistry(context, reference, { ...access, access: "push" });
  const subject = subjectName && (await client.resolve(subjectName.digest ?? subjectName.tag ?? "latest"));
  const created = sourceDate(context.env)?.toISOString().replace(".000Z", "Z");
  const artifact = buildArtifact({
    artifactType: push.artifactType,
    config: config?.descriptor,
    files: files.map(({ descriptor, label }) => titled(descriptor, titleOf(label))),
    subject,
    annotations: { ...(created === undefined ? {} : { [createdKey]: created }), ...push.annotations },
  });
  artifactFiles(artifact.manifest);
  await pushContents(context, client, [...files, config, inMemory(artifact.empty)]);
  const { digest } = artifact.descriptor;
  const name = tagged ? (reference.tag ?? digest) : digest;
  const put = await client.putManifest(name, artifact.bytes, artifact.descriptor.mediaType);
  // "If … OCI-Subject is not set, the client MUST" list it by itself (distribution-spec "Pushing Manifests with Subject").
  if (subject !== undefined && !put.subject) await client.putReferrersTag(subject.digest, referrerOf(artifact));
  return artifact;
}

/** The referrers API is per repository (distribution-spec "Listing Referrers"). */
function requireSameRepository(reference: RegistryReference, subject: RegistryReference): void {
  if (subject.registry === reference.registry && subject.repository === reference.repository) return;
  throw new DevboxError("USAGE", {
    step: `push ${familiarName(reference)}`,
    because: `its subject ${familiarName(subject)} is in another repository, where nobody would find it`,
    hint: `push to the subject's repository: ${subject.registry}/${subject.repository}`,
  });
}

interface LabelledContent extends UploadContent {
  /** Of its line of progress; a file's path. */
  readonly label: string;
}

/** Read once for its digest; the upload reads it again, and finds out if it has changed. */
async function describeFile({ path, mediaType }: FileToPush): Promise<LabelledContent> {
  const step = `read ${path}`;
  const stats = attempt(step, () => statSync(path));
  // `--config /dev/null:TYPE` is how dev-container Features are pushed: a config without content.
  if (!stats.isFile() && path !== "/dev/null") {
    const because = stats.isDirectory() ? "it is a directory" : "it is no regular file";
    const hint = stats.isDirectory() ? `pack it first: tar -C ${path} -czf FILE .` : "name a file";
    throw new DevboxError("USAGE", { step, because, hint });
  }
  const hasher = new Bun.CryptoHasher("sha256");
  let size = 0;
  for await (const chunk of readFrom(path, 0)) {
    hasher.update(chunk);
    size += chunk.byteLength;
  }
  const descriptor: Descriptor = { mediaType, digest: sha256Digest(hasher.digest("hex")), size };
  return { label: path, descriptor, open: async (offset) => ({ stream: readFrom(path, offset), offset }) };
}

async function* readFrom(path: string, offset: number): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path, { start: offset, highWaterMark: chunkBytes });
  } catch (cause) {
    throw cause instanceof DevboxError ? cause : new DevboxError("COPY_FAILED", { step: `read ${path}`, cause });
  }
}

/** One after the other: what is there twice, under two names, is found at the second. */
async function pushContents(
  context: Context,
  client: RegistryClient,
  contents: readonly (LabelledContent | undefined)[],
): Promise<void> {
  for (const content of contents) {
    if (content === undefined) continue;
    const task = context.progress.task(content.label, content.descriptor.size);
    task.phase("uploading");
    const pushed = await client.pushBlob(content, { onProgress: task.update });
    task.done(pushed === "there" ? "already there" : "pushed");
  }
}

function inMemory(content: BuiltArtifact["empty"]): LabelledContent | undefined {
  if (content === undefined) return undefined;
  const { descriptor, bytes } = content;
  return {
    label: shortDigest(descriptor.digest),
    descriptor,
    open: async (offset) => ({ stream: once(bytes.subarray(offset)), offset }),
  };
}

/** Relative to where it will be pulled to. */
function titleOf(path: string): string {
  const plain = normalize(path);
  return isAbsolute(plain) || plain.startsWith("../") ? basename(plain) : plain;
}
