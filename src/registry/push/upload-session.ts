/** Upload sessions of a registry: opened, by a mount or plainly, asked how far they are, given up (distribution-spec "Pushing Blobs"). */
import { DevboxError, type ErrorCode } from "../../core/errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { digestAlgorithm } from "../../oci/digest.ts";
import type { HttpResponse } from "../http/http-client.ts";
import type { Session } from "../session.ts";
import { pushError } from "./push-error.ts";
import { readChunkMinimum, readLocation, readUploadedBytes } from "./upload-location.ts";

export interface OpenUpload {
  /** Where to go on: named anew by every answer. */
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** Bytes that a chunk must have at least, but for the last; undefined: the registry did not say. */
  readonly chunkMinimum: number | undefined;
}

/** Each costs a round trip, and one that is right is right at the first or second as a rule. */
const MAX_MOUNTS = 3;

export function pushStep(session: Session, descriptor: Descriptor): string {
  const { registry, repository } = session.options;
  return `push blob ${descriptor.digest} to ${registry}/${repository}`;
}

/** @throws REGISTRY_AUTH, … where the registry does not say. */
export async function hasBlob(session: Session, descriptor: Descriptor): Promise<boolean> {
  const step = pushStep(session, descriptor);
  const target = `v2/${session.options.repository}/blobs/${descriptor.digest}`;
  const response = await session.send({ method: "HEAD", target, headers: {}, step });
  if (response.status !== 200 && response.status !== 404) throw await pushError(session, response, step);
  await response.discard();
  return response.status === 200;
}

/** Take the blob over from one of these repositories, or open an upload of it. */
export async function mountOrOpen(
  session: Session,
  descriptor: Descriptor,
  mountFrom: readonly string[],
): Promise<"mounted" | OpenUpload> {
  const others = mountFrom.filter((repository) => repository !== session.options.repository).slice(0, MAX_MOUNTS);
  let opened: OpenUpload | undefined;
  for (const from of others) {
    const outcome = await tryMount(session, descriptor, from);
    if (outcome === undefined) continue;
    if (opened !== undefined) await cancelUpload(session, descriptor, opened);
    if (outcome === "mounted") return "mounted";
    opened = outcome;
  }
  return opened ?? openUpload(session, descriptor);
}

/** Failures that say that this mount is not to be had, and nothing of the upload. */
const noMount: readonly ErrorCode[] = ["REGISTRY_AUTH", "REGISTRY_NOT_FOUND", "REGISTRY_REFUSED"];

/** 201: mounted. 202: not, and an upload is open instead. */
async function tryMount(
  session: Session,
  descriptor: Descriptor,
  from: string,
): Promise<"mounted" | OpenUpload | undefined> {
  const query = `mount=${encodeURIComponent(descriptor.digest)}&from=${encodeURIComponent(from)}`;
  try {
    const response = await post(session, descriptor, query, [`repository:${from}:pull`]);
    if (response.status === 201) {
      checkReportedDigest(response, descriptor, pushStep(session, descriptor));
      await response.discard();
      return "mounted";
    }
    return await readOpened(session, descriptor, response);
  } catch (error) {
    if (!(error instanceof DevboxError) || !noMount.includes(error.code)) throw error;
    session.context.log.debug("blob cannot be mounted", { digest: descriptor.digest, from, because: error.because });
    return undefined;
  }
}

/** @throws REGISTRY_AUTH, REGISTRY_REFUSED, … */
export async function openUpload(session: Session, descriptor: Descriptor): Promise<OpenUpload> {
  const algorithm = digestAlgorithm(descriptor.digest);
  // Registries assume sha256 (distribution-spec "POST then PUT").
  const query = algorithm === "sha256" ? "" : `digest-algorithm=${algorithm}`;
  return readOpened(session, descriptor, await post(session, descriptor, query, []));
}

function post(
  session: Session,
  descriptor: Descriptor,
  query: string,
  extraScopes: readonly string[],
): Promise<HttpResponse> {
  const target = `v2/${session.options.repository}/blobs/uploads/${query === "" ? "" : `?${query}`}`;
  const step = pushStep(session, descriptor);
  return session.send({ method: "POST", target, headers: {}, body: "", step, extraScopes });
}

async function readOpened(session: Session, descriptor: Descriptor, response: HttpResponse): Promise<OpenUpload> {
  const step = pushStep(session, descriptor);
  if (response.status !== 202) throw await pushError(session, response, step);
  await response.discard();
  const location = readLocation(response, session.options.tlsVerify, step);
  if (location !== undefined) {
    return { location, offset: 0, chunkMinimum: readChunkMinimum(response.header("oci-chunk-min-length")) };
  }
  const because = `${response.url.host} opened an upload without saying where (no Location)`;
  throw new DevboxError("REGISTRY_REFUSED", { step, because });
}

/** How far it is, by the registry's word; undefined: the registry has it no more, or cannot tell. */
export async function uploadState(
  session: Session,
  descriptor: Descriptor,
  upload: OpenUpload,
): Promise<OpenUpload | undefined> {
  const step = pushStep(session, descriptor);
  const response = await session.send({ method: "GET", target: upload.location.href, headers: {}, step });
  await response.discard();
  if (response.status !== 204 && response.status !== 200) return undefined;
  const offset = readUploadedBytes(response.header("range"));
  if (offset === undefined) return undefined;
  const location = readLocation(response, session.options.tlsVerify, step) ?? upload.location;
  return { ...upload, location, offset };
}

/** Good manners only: a registry throws away by itself what nobody completes, so a failure is none. */
export async function cancelUpload(session: Session, descriptor: Descriptor, upload: OpenUpload): Promise<void> {
  const step = pushStep(session, descriptor);
  try {
    const response = await session.sendOnce({ method: "DELETE", target: upload.location.href, headers: {}, step });
    await response.discard();
  } catch (error) {
    session.context.log.debug("upload was not cancelled", { step, because: String(error) });
  }
}

/** Docker-Content-Digest is optional; where it is there, and of the same algorithm, it must be ours. */
export function checkReportedDigest(
  response: HttpResponse,
  { digest }: Pick<Descriptor, "digest">,
  step: string,
): void {
  const reported = response.header("docker-content-digest");
  if (reported === undefined || reported === digest || reported.split(":")[0] !== digest.split(":")[0]) return;
  const because = `${response.url.host} says that it stored ${reported} where ${digest} was sent`;
  const hint = "the content was altered on its way, or the registry has a problem; push again";
  throw new DevboxError("DIGEST_MISMATCH", { step, because, hint });
}
