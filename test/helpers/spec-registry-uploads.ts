/** The spec registry's uploads: in one piece, in chunks, and mounts (distribution-spec "Pushing blobs"). */
import { digestOf, isDigest } from "../../src/oci/digest.ts";
import type { SpecRegistryOptions } from "./spec-registry.ts";
import { type Answer, errorAnswer, type Repository } from "./spec-registry-answers.ts";

interface Upload {
  readonly id: string;
  readonly name: string;
  content: Uint8Array<ArrayBuffer>;
  /** A chunk under the minimum came: it must have been the last. */
  isShort: boolean;
}

export interface Uploads {
  /** Neither completed nor cancelled. */
  readonly open: number;
  /** What is asked of `/v2/NAME/blobs/uploads/ID`; without an id one is opened. */
  answer(request: Request, url: URL, place: Repository, id: string): Promise<Answer>;
}

export function createUploads(options: SpecRegistryOptions, repository: (name: string) => Repository): Uploads {
  const uploads = new Map<string, Upload>();
  const open = async (request: Request, url: URL, place: Repository): Promise<Answer> => {
    if (request.method !== "POST") return errorAnswer(405, "UNSUPPORTED", "POST opens an upload");
    const mount = url.searchParams.get("mount");
    const digest = url.searchParams.get("digest");
    const body = await bodyOf(request);
    if (mount !== null && options.mounts !== false) {
      const blob = repository(url.searchParams.get("from") ?? "").blobs.get(mount);
      if (blob !== undefined) return createBlob(place, mount, blob);
    }
    if (digest !== null) return createBlob(place, digest, body);
    const id = crypto.randomUUID();
    const upload = { id, name: place.name, content: new Uint8Array(), isShort: false };
    uploads.set(id, upload);
    const minimum = options.minChunkBytes;
    return state(202, upload, minimum === undefined ? {} : { "oci-chunk-min-length": String(minimum) });
  };
  const goOn = async (request: Request, url: URL, place: Repository, id: string): Promise<Answer> => {
    const upload = uploads.get(id);
    if (upload?.name !== place.name || url.searchParams.get("state") !== stateOf(id)) {
      return errorAnswer(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    }
    switch (request.method) {
      case "GET":
        return state(204, upload);
      case "DELETE":
        uploads.delete(id);
        return { status: 204, headers: {} };
      case "PATCH":
        return append(upload, request, await bodyOf(request), options) ?? state(202, upload);
      case "PUT": {
        const refused = append(upload, request, await bodyOf(request), options);
        if (refused !== undefined) return refused;
        const answer = createBlob(place, url.searchParams.get("digest") ?? "", upload.content);
        if (answer.status === 201) uploads.delete(id);
        return answer;
      }
      default:
        return errorAnswer(405, "UNSUPPORTED", "no such method for an upload");
    }
  };
  return {
    get open() {
      return uploads.size;
    },
    answer: (request, url, place, id) => (id === "" ? open(request, url, place) : goOn(request, url, place, id)),
  };
}

/** In order, and no short one before the last. A body without Content-Range goes to the end, as docker and skopeo stream. */
function append(
  upload: Upload,
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  { minChunkBytes = 0 }: SpecRegistryOptions,
): Answer | undefined {
  const range = request.headers.get("content-range");
  if (range !== null) {
    const [, start, end] = /^(\d+)-(\d+)$/.exec(range) ?? [];
    const fits = Number(start) === upload.content.byteLength && Number(end) - Number(start) + 1 === body.byteLength;
    if (!fits) return state(416, upload);
  }
  if (body.byteLength === 0) return undefined;
  if (upload.isShort) return errorAnswer(400, "SIZE_INVALID", "the chunk before was shorter than the minimum");
  upload.isShort = body.byteLength < minChunkBytes;
  upload.content = upload.content.byteLength === 0 ? body : Buffer.concat([upload.content, body]);
  return undefined;
}

/** Stands for what registries keep in the query of a Location: a client that drops it is refused. */
function stateOf(id: string): string {
  return `of-${id}`;
}

/** Range is inclusive; nothing yet is written as 0-0, as docker-registry does. */
function state(status: number, { id, name, content }: Upload, more: Answer["headers"] = {}): Answer {
  const location = `/v2/${name}/blobs/uploads/${id}?state=${stateOf(id)}`;
  return { status, headers: { location, range: `0-${Math.max(0, content.byteLength - 1)}`, ...more } };
}

async function bodyOf(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await request.arrayBuffer());
}

function createBlob(place: Repository, digest: string, content: Uint8Array): Answer {
  if (!isDigest(digest)) return errorAnswer(400, "DIGEST_INVALID", "the digest is missing or none");
  const actual = digestOf(content, digest.startsWith("sha512:") ? "sha512" : "sha256");
  if (actual !== digest) return errorAnswer(400, "DIGEST_INVALID", `the content is ${actual}`);
  place.blobs.set(digest, content);
  const location = `/v2/${place.name}/blobs/${digest}`;
  return { status: 201, headers: { location, "docker-content-digest": digest } };
}
