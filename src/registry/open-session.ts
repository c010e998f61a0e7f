/** A session with all that it needs from this machine: credentials, CAs, proxies, time-outs. Each is loaded when it is needed. */
import type { Context } from "../core/context.ts";
import { version } from "../core/version.ts";
import type { RegistryAccess } from "./access.ts";
import { defaultTimeouts, type HttpClient, type HttpTimeouts } from "./http/http-client.ts";
import { proxyFor } from "./http/proxy.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./retry.ts";
import { createSession, type Session } from "./session.ts";

export interface RegistryClientOptions extends RegistryAccess {
  /** As in the reference: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `library/alpine`. */
  readonly repository: string;
  /** What tokens are asked for. Default: pull. */
  readonly access?: "pull" | "push";
  readonly retry?: RetryPolicy;
  readonly timeouts?: HttpTimeouts;
}

export interface OpenSession {
  readonly session: Session;
  /** Ends the connections, and with them what is under way. */
  close(): Promise<void>;
}

/** Nothing is sent, and undici not loaded, before the first request. */
export function openSession(context: Context, options: RegistryClientOptions): OpenSession {
  const { access = "pull", authFile, credentials, registry, repository, tlsVerify } = options;
  const env = authFile === undefined ? context.env : { ...context.env, REGISTRY_AUTH_FILE: authFile };
  const client = lazyHttpClient(context, options);
  const session = createSession(context, {
    registry,
    repository,
    access,
    tlsVerify,
    retry: options.retry ?? defaultRetryPolicy,
    userAgent: `devbox/${version}`,
    client,
    // What most pulls do not need is loaded when it is: undici and the rest cost milliseconds, and a pull may take few.
    findCredentials: async () =>
      credentials ??
      (await import("./authentication/credentials.ts")).findCredentials({ ...context, env }, registry, repository),
  });
  return { session, close: client.close };
}

/** undici costs 6 ms to load, so it waits for the first request. */
function lazyHttpClient(context: Context, { registry, timeouts, tlsVerify }: RegistryClientOptions): HttpClient {
  let loaded: Promise<HttpClient> | undefined;
  const load = async (): Promise<HttpClient> => {
    const { createHttpClient } = await import("./http/http.ts");
    return createHttpClient({
      timeouts: timeouts ?? defaultTimeouts,
      loadTls: async () => (await import("./http/tls-settings.ts")).loadTlsSettings(context, registry, tlsVerify),
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
