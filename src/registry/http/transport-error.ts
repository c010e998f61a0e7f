/** What the transport threw, in words: DNS, connections, TLS, time-outs. */
import { DevboxError } from "../../core/errors.ts";
import { redactUrl } from "./http-client.ts";

/** code → the sentence after the host's name. */
const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ENOTFOUND: "is not a known host name",
  EAI_AGAIN: "could not be looked up: the name server did not answer",
  EHOSTUNREACH: "cannot be reached from here",
  ENETUNREACH: "cannot be reached from here: no network",
  ECONNRESET: "closed the connection in the middle",
  EPIPE: "closed the connection in the middle",
  UND_ERR_SOCKET: "closed the connection in the middle",
  ETIMEDOUT: "did not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "did not accept the connection in time",
  UND_ERR_HEADERS_TIMEOUT: "accepted the request but did not answer in time",
  UND_ERR_BODY_TIMEOUT: "stopped sending in the middle of the answer",
  DEVBOX_SEND_STALLED: "stopped taking what is sent to it",
};

/** Codes of OpenSSL's certificate checks (X509_STORE_CTX_get_error(3), without the X509_V_ERR prefix) and of its records. */
const tlsCode =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO|ERR_BORINGSSL)/;

/** An exchange that broke: no answer, or half of one. `cause` is what the transport threw. */
export class TransportFailure extends Error {
  override readonly name = "TransportFailure";
  /** Whom it was with: a redirect may have led away from the registry. */
  readonly url: URL;
  /** The proxy between, which may be the one to blame. */
  readonly proxy: URL | undefined;

  constructor(url: URL, cause: unknown, proxy?: URL) {
    super("the exchange broke off", { cause });
    this.url = url;
    this.proxy = proxy;
  }
}

/**
 * Codes of failures that may go away by themselves. A refused connection or an unknown name is not among them: it is a
 * wrong name or a registry that does not run far more often than a hiccup, and the user waits for the answer.
 */
const transientCodes: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "DEVBOX_SEND_STALLED",
]);

export function isTransient(failure: TransportFailure): boolean {
  return transientCodes.has(errorCode(failure.cause));
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/**
 * The failure as an error for the user; INTERRUPTED where the caller stopped it. `tries`: how often it was tried.
 */
export function transportError(failure: TransportFailure, step: string, signal: AbortSignal, tries = 1): DevboxError {
  if (signal.aborted) return interrupted(signal, step);
  const { cause, proxy, url } = failure;
  const code = errorCode(cause);
  const isTls = tlsCode.test(code);
  const whom = proxy === undefined ? url.host : `${url.host}, asked through the proxy ${proxy.host},`;
  const because = `${whom} ${describe(cause, code, isTls)}${tries > 1 ? `; tried ${tries} times` : ""}`;
  return new DevboxError(isTls ? "REGISTRY_TLS" : "REGISTRY_UNREACHABLE", { step, because, cause });
}

function describe(cause: unknown, code: string, isTls: boolean): string {
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return "does not speak TLS on this port";
  const words = Object.hasOwn(unreachable, code) ? unreachable[code] : undefined;
  if (words !== undefined) return `${words} (${code})`;
  const message = cause instanceof Error ? cause.message : String(cause);
  return isTls ? `failed the TLS check: ${message} (${code})` : `could not be asked: ${message}`;
}

export function interrupted(signal: AbortSignal, step: string): DevboxError {
  const reason: unknown = signal.reason;
  return reason instanceof DevboxError ? reason : new DevboxError("INTERRUPTED", { step, because: "interrupted" });
}

/** The error for a URL that devbox does not go to. */
export function refusedUrl(url: URL, step: string, why: string): DevboxError {
  return new DevboxError("REGISTRY_REFUSED", { step, because: `${redactUrl(url)}: ${why}` });
}
