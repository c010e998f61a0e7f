/**
 * Image references as docker and podman read them: the grammar of github.com/distribution/reference (regexp.go,
 * normalize.go) and skopeo's transports (containers-transports(5)).
 *
 * Laws: parse ∘ format is the identity, and so is parse ∘ familiar.
 */
import { DevboxError } from "../core/errors.ts";
import type { Digest } from "./descriptor.ts";
import { digestProblem, isDigest } from "./digest.ts";

/**
 * Where an image comes from.
 * - registry: `registry/repository[:tag][@digest]`, defaults filled in (docker.io, library/, latest).
 * - oci: `oci:DIR[:ref]`, oci-archive: `oci-archive:FILE[:ref]`, docker-archive: `docker-archive:FILE[:ref]`, dir: `dir:ROOTFS`.
 */
export type Reference =
  | {
      readonly kind: "registry";
      /** Host with optional port: `docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
      readonly registry: string;
      /** `library/alpine`. */
      readonly repository: string;
      readonly tag: string | undefined;
      readonly digest: Digest | undefined;
    }
  | { readonly kind: "oci" | "oci-archive" | "docker-archive"; readonly path: string; readonly ref: string | undefined }
  | { readonly kind: "dir"; readonly path: string };

export type RegistryReference = Extract<Reference, { kind: "registry" }>;
type FileReference = Exclude<Reference, { kind: "registry" }>;

const DEFAULT_REGISTRY = "docker.io";
const OFFICIAL = "library/";
const MAX_REPOSITORY = 255;
/** A DNS name of 253 characters, a colon and a port. */
const MAX_REGISTRY = 259;

const hostLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const registryPattern = new RegExp(`^(?:${hostLabel}(?:\\.${hostLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const repositoryPart = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${repositoryPart}(?:/${repositoryPart})*$`);
const transportPattern = /^(oci|oci-archive|docker-archive|dir):(.*)$/s;
/** Of containers-transports(5), what is read by others alone; nobody calls an image so. */
const foreignTransportPattern = /^(containers-storage|docker-daemon|ostree|sif|tarball):/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** @throws BAD_REFERENCE with the part that is wrong and why. */
export function parseReference(text: string): Reference {
  const fail = (because: string): never => {
    throw new DevboxError("BAD_REFERENCE", { step: `read image reference ${JSON.stringify(text)}`, because });
  };
  const foreign = foreignTransportPattern.exec(text)?.[0];
  if (foreign !== undefined) throw foreignTransport(text, foreign);
  const transport = transportPattern.exec(text);
  if (transport !== null) return parseFileReference(transport[1] ?? "", transport[2] ?? "", fail);
  return parseRegistryReference(text.startsWith("docker://") ? text.slice("docker://".length) : text, fail);
}

function foreignTransport(text: string, transport: string): DevboxError {
  return new DevboxError("BAD_REFERENCE", {
    step: `read image reference ${JSON.stringify(text)}`,
    because: `devbox does not read what ${transport} names`,
    hint: "let its owner write an archive: docker save IMAGE | devbox load, or podman save IMAGE | devbox load",
  });
}

/** undefined: it is no reference, as the names may be that other tools give in a layout or archive. */
export function referenceOrNothing(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

type Fail = (because: string) => never;

/** The path ends at the first colon, as skopeo has it; the rest may hold further ones (`oci:DIR:debian:12`). */
function parseFileReference(kind: string, rest: string, fail: Fail): FileReference {
  if (rest.includes("\0")) return fail("it contains a NUL byte");
  if (kind === "dir") return rest === "" ? fail("dir: needs the path of a directory") : { kind, path: rest };
  const colon = rest.indexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const ref = colon === -1 ? undefined : rest.slice(colon + 1);
  if (path === "") return fail(`${kind}: needs a path`);
  if (ref === "") return fail("the name after the last colon is empty");
  if (kind === "oci" || kind === "oci-archive" || kind === "docker-archive") return { kind, path, ref };
  return fail(`unknown transport ${kind}`);
}

function parseRegistryReference(text: string, fail: Fail): RegistryReference {
  if (text === "") return fail("it is empty");
  // normalize.go refuses these too: they are taken for image ids, and a repository of that name could shadow one.
  if (/^[a-f0-9]{64}$/.test(text)) return fail("64 hex digits are an image id, not a name");
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : checkDigest(text.slice(at + 1), fail);
  const { registry, rest } = splitRegistry(at === -1 ? text : text.slice(0, at));
  const colon = rest.indexOf(":");
  const path = colon === -1 ? rest : rest.slice(0, colon);
  const tag = colon === -1 ? undefined : checkTag(rest.slice(colon + 1), fail);
  const repository = registry === DEFAULT_REGISTRY && !path.includes("/") ? OFFICIAL + path : path;
  if (registry.length > MAX_REGISTRY || !registryPattern.test(registry)) {
    return fail(`"${registry}" is not a registry host`);
  }
  checkRepository(path, repository, fail);
  return { kind: "registry", registry, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

/** The first part is a host if it has a dot, a colon or an upper-case letter, or is `localhost` (normalize.go splitDockerDomain). */
function splitRegistry(name: string): { registry: string; rest: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (slash === -1 || !looksLikeHost(first)) return { registry: DEFAULT_REGISTRY, rest: name };
  return { registry: first === "index.docker.io" ? DEFAULT_REGISTRY : first, rest: name.slice(slash + 1) };
}

function looksLikeHost(part: string): boolean {
  return /[.:]/.test(part) || part === "localhost" || part !== part.toLowerCase();
}

function checkDigest(text: string, fail: Fail): Digest {
  return isDigest(text) ? text : fail(digestProblem(text) ?? "not a digest");
}

function checkTag(tag: string, fail: Fail): string {
  if (tagPattern.test(tag)) return tag;
  if (tag === "") return fail("the tag after the colon is empty");
  if (tag.length > 128) return fail(`the tag has ${tag.length} characters; 128 are allowed`);
  return fail(`"${tag}" is not a tag: letters, digits, "_", "." and "-", not starting with "." or "-"`);
}

function checkRepository(written: string, repository: string, fail: Fail): void {
  if (written === "") fail("the repository name is empty");
  if (written !== written.toLowerCase()) fail(`the repository name "${written}" must be lower case`);
  if (repository.length > MAX_REPOSITORY) {
    fail(`the repository name has ${repository.length} characters; ${MAX_REPOSITORY} are allowed`);
  }
  if (!repositoryPattern.test(repository)) {
    fail(`"${written}" is not a repository name: lower-case letters and digits, separated by ".", "_", "__", "-", "/"`);
  }
}

/** Canonical text: everything written out, `docker.io/library/alpine:latest`. */
export function formatReference(reference: Reference): string {
  switch (reference.kind) {
    case "registry":
      return `${reference.registry}/${reference.repository}${suffix(reference)}`;
    case "dir":
      return `dir:${reference.path}`;
    default:
      return `${reference.kind}:${reference.path}${reference.ref === undefined ? "" : `:${reference.ref}`}`;
  }
}

/** What people write: `docker.io/` and `library/` dropped where the rest still reads the same. `alpine:latest`. */
export function familiarName(reference: Reference): string {
  if (reference.kind !== "registry") return formatReference(reference);
  return familiarRepository(reference) + suffix(reference);
}

/** `familiarName` without tag and digest: the REPOSITORY column of `images`. */
export function familiarRepository({ registry, repository }: RegistryReference): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const official = repository.startsWith(OFFICIAL) ? repository.slice(OFFICIAL.length) : undefined;
  if (official !== undefined && !official.includes("/")) {
    // `oci:latest` alone would be a layout in the directory `latest`.
    const isTransport = transportPattern.test(`${official}:`) || foreignTransportPattern.test(`${official}:`);
    return isTransport ? repository : official;
  }
  // docker.io/foo.bar/x without its host would name the host foo.bar.
  return looksLikeHost(repository.slice(0, repository.indexOf("/"))) ? `${registry}/${repository}` : repository;
}

function suffix({ tag, digest }: RegistryReference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}
