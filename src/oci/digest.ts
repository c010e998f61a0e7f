/** Digests (image-spec descriptor.md "Digests"): made here, nowhere else. */
import { DevboxError } from "../core/errors.ts";
import type { Digest } from "./descriptor.ts";

/** The registered algorithms and the length of their lower-case hex. */
const hexLengths = { sha256: 64, sha512: 128 } as const;

export type DigestAlgorithm = keyof typeof hexLengths;

function isAlgorithm(name: string): name is DigestAlgorithm {
  return Object.hasOwn(hexLengths, name);
}

/** Why `text` is no digest that devbox can verify; undefined: it is one. */
export function digestProblem(text: string): string | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0) return "a digest looks like sha256:HEX";
  const algorithm = text.slice(0, colon);
  if (!isAlgorithm(algorithm)) return `digest algorithm "${algorithm}" is not supported (sha256, sha512 are)`;
  const hex = text.slice(colon + 1);
  if (hex.length !== hexLengths[algorithm]) {
    return `a ${algorithm} digest has ${hexLengths[algorithm]} hex digits, not ${hex.length}`;
  }
  if (!/^[0-9a-f]*$/.test(hex)) return "a digest is written in lower-case hex digits";
  return undefined;
}

export function isDigest(text: string): text is Digest {
  return digestProblem(text) === undefined;
}

/** @throws BAD_REFERENCE naming what is wrong: unknown algorithm, length, upper case. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const because = digestProblem(text) ?? "not a digest";
  throw new DevboxError("BAD_REFERENCE", { step: `read digest ${JSON.stringify(text)}`, because });
}

export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha256:") ? "sha256" : "sha512";
}

/** The part after the colon: the file name below `blobs/<algorithm>/`. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** `1234567890ab`: what people read. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

/** The digest of content in memory. Streams hash by themselves with `Bun.CryptoHasher(digestAlgorithm(expected))`. */
export function digestOf(content: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${new Bun.CryptoHasher(algorithm).update(content).digest("hex")}`;
}

/** The digest whose sha256 hex a streaming hasher has computed. */
export function sha256Digest(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}
