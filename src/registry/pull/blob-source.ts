/** Where a blob's bytes come from: the registry, or the URLs of a foreign layer; opened at an offset. */
import { DevboxError, type ErrorCode } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { HttpResponse } from "../http/http-client.ts";
import { responseError } from "../response-error.ts";
import type { Session } from "../session.ts";

export interface OpenBlob {
  readonly url: URL;
  /** Where `body` starts. At or before the offset asked for. */
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array>;
  /** A strong ETag, if there is one: only such may stand in If-Range (RFC 9110 section 13.1.5). */
  readonly validator: string | undefined;
}

export interface OpenRequest {
  readonly offset: number;
  readonly validator?: string;
}

export function blobStep(session: Session, descriptor: Descriptor): string {
  const { registry, repository } = session.options;
  return `fetch blob ${descriptor.digest} of ${registry}/${repository}`;
}

/** Failures of one place that another place may not have. */
const elsewhere: readonly ErrorCode[] = [
  "REGISTRY_NOT_FOUND",
  "REGISTRY_UNREACHABLE",
  "REGISTRY_TLS",
  "REGISTRY_REFUSED",
];

/** Open at `offset`, or before it where the server gives no ranges. The first place's failure is the one reported. */
export async function openBlob(session: Session, descriptor: Descriptor, request: OpenRequest): Promise<OpenBlob> {
  let failure: DevboxError | undefined;
  for (const target of blobTargets(session, descriptor)) {
    try {
      return await openTarget(session, descriptor, target, request);
    } catch (error) {
      if (!(error instanceof DevboxError) || !elsewhere.includes(error.code)) throw error;
      failure ??= error;
    }
  }
  throw failure ?? new DevboxError("INTERNAL", { step: blobStep(session, descriptor), because: "no place to ask" });
}

/**
 * image-spec descriptor.md "urls". Foreign layers are not kept by registries as a rule, so their URLs go first.
 * Plain http only where verification is off: an image must not make devbox ask anything on the local network.
 */
function blobTargets(session: Session, descriptor: Descriptor): readonly (string | URL)[] {
  const { repository, tlsVerify } = session.options;
  const registry = `v2/${repository}/blobs/${descriptor.digest}`;
  const urls = (descriptor.urls ?? []).flatMap((text) => URL.parse(text) ?? []);
  const allowed = urls.filter(({ protocol }) => protocol === "https:" || (protocol === "http:" && !tlsVerify));
  return isForeign(descriptor.mediaType) ? [...allowed, registry] : [registry, ...allowed];
}

function isForeign(mediaType: string): boolean {
  return mediaType.includes(".nondistributable.") || mediaType.includes(".foreign.");
}

async function openTarget(
  session: Session,
  descriptor: Descriptor,
  target: string | URL,
  { offset, validator }: OpenRequest,
): Promise<OpenBlob> {
  const step = blobStep(session, descriptor);
  const ifRange = validator === undefined ? {} : { "if-range": validator };
  const range = offset === 0 ? {} : { range: `bytes=${offset}-`, ...ifRange };
  // Content-Encoding would change the bytes that the digest is of.
  const headers = { "accept-encoding": "identity", ...range };
  const response = await session.send({ method: "GET", target, headers, step });
  if (response.status === 416 && offset > 0) {
    await response.discard();
    return openTarget(session, descriptor, target, { offset: 0 });
  }
  if (response.status !== 200 && response.status !== 206) throw await responseError(response, step);
  const start = await bodyStart(response, descriptor, offset, step);
  const etag = response.header("etag");
  const strong = etag?.startsWith('"') === true ? etag : undefined;
  return { url: response.url, offset: start, body: response.body, validator: strong };
}

/** Where the body starts, with the announced total checked, so that a wrong one costs no download. */
async function bodyStart(
  response: HttpResponse,
  descriptor: Descriptor,
  offset: number,
  step: string,
): Promise<number> {
  const isPart = response.status === 206;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header("content-range") ?? "");
  const start = isPart ? Number(range?.[1] ?? Number.NaN) : 0;
  const total = isPart ? range?.[2] : response.header("content-length");
  const because =
    total !== undefined && total !== "*" && Number(total) !== descriptor.size
      ? `${response.url.host} has ${total} bytes where ${descriptor.size} were announced`
      : undefined;
  if (because === undefined && start <= offset) return start;
  await response.discard();
  if (because !== undefined) throw new DevboxError("SIZE_MISMATCH", { step, because });
  const got = response.header("content-range") ?? "no Content-Range";
  throw new DevboxError("REGISTRY_REFUSED", {
    step,
    because: `${response.url.host} answered with a wrong range: ${got}`,
  });
}
