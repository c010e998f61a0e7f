/** An answer that is no success, as an error: status, and the registry's own words (distribution-spec "Error Codes"). */
import { DevboxError, type ErrorCode } from "../core/errors.ts";
import { isDigest } from "../oci/digest.ts";
import { readAtMost } from "./http/body.ts";
import type { HttpResponse } from "./http/http-client.ts";

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SHOWN = 300;

interface Diagnostic {
  readonly code: string;
  readonly message: string;
}

/** Read the body, within a limit, and make the error. `note`: what devbox did about it, such as the number of tries. */
export async function responseError(response: HttpResponse, step: string, note?: string): Promise<DevboxError> {
  const diagnostics = await readDiagnostics(response);
  const kind = errorKind(response.status, diagnostics);
  const words = diagnostics.map(({ code, message }) => (message === "" ? code : `${message} (${code})`));
  const status = `${response.url.host} answered ${response.status}`;
  const because = [status, ...words].join(": ") + (note === undefined ? "" : `; ${note}`);
  const hint = hintFor(kind, response.status);
  return new DevboxError(kind, { step, because, ...(hint === undefined ? {} : { hint }) });
}

const notFoundCodes: readonly string[] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"];

function errorKind(status: number, diagnostics: readonly Diagnostic[]): ErrorCode {
  if (status === 404 || diagnostics.some(({ code }) => notFoundCodes.includes(code))) return "REGISTRY_NOT_FOUND";
  return status === 401 || status === 403 ? "REGISTRY_AUTH" : "REGISTRY_REFUSED";
}

function hintFor(kind: ErrorCode, status: number): string | undefined {
  if (kind === "REGISTRY_AUTH") {
    return "check the spelling: docker.io, ghcr.io and others answer this for images that do not exist as well; for a private image, log in: devbox login REGISTRY";
  }
  if (status === 429) return "wait a while; most registries allow more to those who log in";
  return status >= 500 ? "the registry has a problem; try again later" : undefined;
}

async function readDiagnostics(response: HttpResponse): Promise<readonly Diagnostic[]> {
  try {
    const bytes = await readAtMost(response.body, MAX_ERROR_BYTES);
    return bytes === undefined ? [] : parseDiagnostics(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    // A page of HTML, or a body that broke off: the status says enough.
    return [];
  }
}

function parseDiagnostics(body: unknown): readonly Diagnostic[] {
  if (typeof body !== "object" || body === null || !("errors" in body) || !Array.isArray(body.errors)) return [];
  const entries: readonly unknown[] = body.errors;
  return entries.slice(0, 3).flatMap((entry) => {
    if (typeof entry !== "object" || entry === null) return [];
    const code = "code" in entry ? printable(entry.code) : "";
    const what = "detail" in entry ? namedDigest(entry.detail) : undefined;
    const said = "message" in entry ? printable(entry.message) : "";
    const message = what === undefined ? said : `${said} ${what}`;
    return code === "" && message === "" ? [] : [{ code: code === "" ? "no code" : code, message }];
  });
}

/** `blob unknown to registry` does not say which; `detail` may, and has no form of its own ("unstructured"). */
function namedDigest(detail: unknown): string | undefined {
  const text = typeof detail === "object" && detail !== null && "digest" in detail ? detail.digest : detail;
  return typeof text === "string" && isDigest(text) ? text : undefined;
}

/** Text from outside goes to a terminal: no control characters, and not without end. */
function printable(value: unknown): string {
  if (typeof value !== "string") return "";
  return value
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, MAX_SHOWN);
}
