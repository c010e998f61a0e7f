/**
 * A registry in memory that does what distribution-spec 1.1 says, and refuses what it does not allow: a second opinion beside
 * docker-registry, which is older than the referrers API.
 *
 *     await using registry = await startSpecRegistry({ referrersPageSize: 2 });
 *     … devbox push box ${registry.host}/team/box …
 *     expect(registry.repository("team/box").tags.get("latest")).toBe(digest);
 *
 * It lives in this process: a test that starts programs must not block on them (spawnSync).
 */
import { isDigest } from "../../src/oci/digest.ts";
import { type Answer, errorAnswer, type Repository, repositoryPattern } from "./spec-registry-answers.ts";
import { answerManifests, answerReferrers, answerTags } from "./spec-registry-manifests.ts";
import { createUploads } from "./spec-registry-uploads.ts";

export interface SpecRegistryOptions {
  /** false: as before distribution-spec 1.1, 404 for the API and no OCI-Subject. */
  readonly referrers?: boolean;
  /** Descriptors in one page of referrers; the rest follows by Link. */
  readonly referrersPageSize?: number;
  /** Filtering is optional for a registry ("MAY"): false returns everything, without OCI-Filters-Applied. */
  readonly filtersReferrers?: boolean;
  /** Announced as OCI-Chunk-Min-Length; only the last chunk may be shorter. */
  readonly minChunkBytes?: number;
  /** false: mounts are answered as an ordinary upload, which the spec allows. */
  readonly mounts?: boolean;
}

export interface SpecRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** `PUT /v2/team/app/manifests/latest`, in the order they came, with the query. */
  readonly requests: readonly string[];
  /** What it has; empty for one that nothing was pushed to. */
  repository(name: string): Repository;
  /** Upload sessions that were opened and neither completed nor cancelled. */
  readonly openUploads: number;
}

const MAX_BODY_BYTES = 1024 * 1024 * 1024;

export async function startSpecRegistry(options: SpecRegistryOptions = {}): Promise<SpecRegistry> {
  const repositories = new Map<string, Repository>();
  const requests: string[] = [];
  const repository = (name: string): Repository => {
    const there = repositories.get(name) ?? { name, blobs: new Map(), manifests: new Map(), tags: new Map() };
    repositories.set(name, there);
    return there;
  };
  const uploads = createUploads(options, repository);
  const route = async (request: Request): Promise<Answer> => {
    const url = new URL(request.url);
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    if (url.pathname === "/v2/") return { status: 200, headers: {}, body: "{}" };
    const [, name = "", kind, reference = ""] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(url.pathname) ?? [];
    if (!repositoryPattern.test(name)) return errorAnswer(404, "NAME_INVALID", `no repository name: ${name}`);
    const place = repository(name);
    switch (kind) {
      case "blobs/uploads":
        return uploads.answer(request, url, place, reference);
      case "blobs":
        return answerBlob(request, place, reference);
      case "manifests":
        return answerManifests(request, place, reference, options);
      case "tags":
        return answerTags(url, place);
      case "referrers":
        return answerReferrers(url, place, reference, options);
      default:
        return errorAnswer(404, "UNSUPPORTED", "no such endpoint");
    }
  };

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: MAX_BODY_BYTES,
    idleTimeout: 0,
    fetch: async (request) => {
      const { status, headers, body } = await route(request);
      // What HEAD says of the length is the content's: Bun takes it from the body and sends none.
      return new Response(body ?? null, { status, headers: { ...headers } });
    },
  });
  return {
    host: `127.0.0.1:${server.port}`,
    requests,
    repository,
    get openUploads() {
      return uploads.open;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function answerBlob(request: Request, place: Repository, digest: string): Answer {
  if (!isDigest(digest)) return errorAnswer(400, "DIGEST_INVALID", "no digest");
  const blob = place.blobs.get(digest);
  if (blob === undefined) return errorAnswer(404, "BLOB_UNKNOWN", "blob unknown to registry");
  const headers = { "content-type": "application/octet-stream", "docker-content-digest": digest };
  const start = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  if (request.method !== "GET" || start === undefined) return { status: 200, headers, body: blob };
  if (Number(start) >= blob.byteLength) {
    return { status: 416, headers: { "content-range": `bytes */${blob.byteLength}` } };
  }
  const range = `bytes ${start}-${blob.byteLength - 1}/${blob.byteLength}`;
  return { status: 206, headers: { ...headers, "content-range": range }, body: blob.subarray(Number(start)) };
}
