/** The faulty registry's uploads (distribution-spec "Pushing Blobs"), and what can happen to them. */
import { digestOf, isDigest } from "../../src/oci/digest.ts";
import { type Answer, errorAnswer, type RecordedRequest } from "./faulty-registry-answers.ts";
import type { ImageShelf } from "./image-shelf.ts";

export interface FaultyUploads {
  /** Answers what is an upload's; undefined: it is not. Mounts are not known: they open an upload, as the specification allows. */
  answer(request: RecordedRequest, content: Uint8Array): Answer | undefined;
  /** Keep what came of a request that broke off in the middle. */
  keep(request: RecordedRequest, content: Uint8Array): void;
  /** The upload is gone, as after a restart of a registry that keeps them in memory. */
  lose(request: RecordedRequest): void;
  /** Bytes of uploads that are open, oldest first. */
  readonly open: readonly number[];
}

export function createFaultyUploads(shelf: ImageShelf): FaultyUploads {
  const uploads = new Map<string, Buffer>();
  const state = (status: number, path: string, content: Uint8Array): Answer => {
    const headers = { location: path, range: `0-${Math.max(0, content.byteLength - 1)}` };
    return { status, headers, body: new Uint8Array() };
  };
  const append = (request: RecordedRequest, id: string, content: Uint8Array): Answer | undefined => {
    const there = uploads.get(id) ?? Buffer.alloc(0);
    const start = request.headers["content-range"]?.split("-")[0] ?? String(there.byteLength);
    if (Number(start) !== there.byteLength) return state(416, request.path, there);
    uploads.set(id, Buffer.concat([there, content]));
    return undefined;
  };
  const complete = (request: RecordedRequest, id: string): Answer => {
    const digest = new URL(request.path, "http://any").searchParams.get("digest") ?? "";
    const bytes = uploads.get(id) ?? Buffer.alloc(0);
    if (!isDigest(digest) || digestOf(bytes) !== digest) {
      return errorAnswer(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    uploads.delete(id);
    shelf.addBlob(bytes);
    return { status: 201, headers: { "docker-content-digest": digest }, body: new Uint8Array() };
  };
  return {
    answer: (request, content) => {
      const { id, isNew } = uploadOf(request);
      if (isNew && request.method === "POST") {
        const opened = crypto.randomUUID();
        uploads.set(opened, Buffer.alloc(0));
        return state(202, `${request.path.replace(/\?.*/, "")}${opened}?_state=a%2Bb~c`, new Uint8Array());
      }
      if (id === undefined) return undefined;
      const there = uploads.get(id);
      // The query of a Location is the registry's own, and comes back as it was or not at all.
      if (there === undefined || !request.path.includes("?_state=a%2Bb~c")) {
        return errorAnswer(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
      }
      switch (request.method) {
        case "GET":
          return state(204, request.path, there);
        case "DELETE":
          uploads.delete(id);
          return { status: 204, headers: {}, body: new Uint8Array() };
        case "PATCH":
          return append(request, id, content) ?? state(202, request.path, uploads.get(id) ?? there);
        default:
          return append(request, id, content) ?? complete(request, id);
      }
    },
    keep: (request, content) => {
      const { id } = uploadOf(request);
      if (id !== undefined && uploads.has(id)) append(request, id, content);
    },
    lose: (request) => {
      uploads.delete(uploadOf(request).id ?? "");
    },
    get open() {
      return Array.from(uploads.values(), ({ byteLength }) => byteLength);
    },
  };
}

function uploadOf({ path }: RecordedRequest): { readonly id: string | undefined; readonly isNew: boolean } {
  const id = /^\/v2\/.+\/blobs\/uploads\/([^/?]*)/.exec(path)?.[1];
  return { id: id === "" ? undefined : id, isNew: id === "" };
}
