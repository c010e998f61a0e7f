/**
 * The distribution-spec client: manifests and blobs of one repository, by pull.
 *
 * Promises: what is small comes verified; what is large comes as a stream of bounded memory that survives broken
 * connections; secrets go only to whom they belong, and into no message. Never writes to disk, never parses images.
 */
import type { Context } from "../core/context.ts";
import { version } from "../core/version.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { type BlobRequest, type BlobStream, fetchBlob, fetchSmallBlob } from "./blob.ts";
import type { Credentials } from "./credentials.ts";
import { defaultTimeouts, type HttpClient, type HttpTimeouts } from "./http-client.ts";
import { type FetchedManifest, fetchManifest, resolveManifest } from "./manifest.ts";
import { proxyFor } from "./proxy.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";
import { createSession } from "./session.ts";

export interface RegistryClientOptions {
  /** As in the reference: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `library/alpine`. */
  readonly repository: string;
  /** false: any certificate, and plain http to any host. */
  readonly tlsVerify: boolean;
  /** Instead of those in the user's files. */
  readonly credentials?: Credentials;
  readonly retry?: RetryPolicy;
  readonly timeouts?: HttpTimeouts;
}

export interface RegistryClient extends AsyncDisposable {
  /** The descriptor of a tag or digest, without its content: one HEAD as a rule. */
  resolve(tagOrDigest: string): Promise<Descriptor>;
  /** A manifest or index of at most 4 MiB, verified. */
  fetchManifest(wanted: string | Descriptor): Promise<FetchedManifest>;
  /** A stream that resumes by itself; its digest is for the reader to verify. */
  fetchBlob(descriptor: Descriptor, request?: BlobRequest): Promise<BlobStream>;
  /** A blob of at most `maxBytes` (4 MiB), verified. */
  fetchSmallBlob(descriptor: Descriptor, maxBytes?: number): Promise<Uint8Array>;
  /** Ends the connections, and with them what is under way. */
  close(): Promise<void>;
}

const SMALL_BLOB_BYTES = 4 * 1024 * 1024;

/** A client for one repository. Nothing is sent, and undici not loaded, before the first request. */
export function createRegistryClient(context: Context, options: RegistryClientOptions): RegistryClient {
  const { credentials, registry, repository, tlsVerify } = options;
  const client = lazyHttpClient(context, options);
  const session = createSession(context, {
    registry,
    repository,
    tlsVerify,
    retry: options.retry ?? defaultRetryPolicy,
    userAgent: `devbox/${version}`,
    client,
    // What most pulls do not need is loaded when it is: undici and the rest cost milliseconds, and a pull may take few.
    findCredentials: async () =>
      credentials ?? (await import("./credentials.ts")).findCredentials(context, registry, repository),
  });
  return {
    resolve: (tagOrDigest) => resolveManifest(session, tagOrDigest),
    fetchManifest: (wanted) => fetchManifest(session, wanted),
    fetchBlob: (descriptor, request = { offset: 0 }) => fetchBlob(session, descriptor, request),
    fetchSmallBlob: (descriptor, maxBytes = SMALL_BLOB_BYTES) => fetchSmallBlob(session, descriptor, maxBytes),
    close: client.close,
    [Symbol.asyncDispose]: client.close,
  };
}

/** undici costs 6 ms to load, so it waits for the first request. */
function lazyHttpClient(context: Context, { registry, timeouts, tlsVerify }: RegistryClientOptions): HttpClient {
  let loaded: Promise<HttpClient> | undefined;
  const load = async (): Promise<HttpClient> => {
    const { createHttpClient } = await import("./http.ts");
    return createHttpClient({
      timeouts: timeouts ?? defaultTimeouts,
      loadTls: async () => (await import("./tls-settings.ts")).loadTlsSettings(context, registry, tlsVerify),
      proxyFor: (url) => proxyFor(url, context.env),
    });
  };
  return {
    send: async (request, signal) => {
      loaded ??= load();
      return (await loaded).send(request, signal);
    },
    close: async () => (await loaded)?.close(),
  };
}
