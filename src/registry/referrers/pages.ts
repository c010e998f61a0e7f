/** Lists that a registry hands out page by page (distribution-spec "Listing Tags", "Listing Referrers"; RFC 8288). */
import { DevboxError } from "../../core/errors.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/parse.ts";
import { readAll } from "../http/body.ts";
import type { HttpResponse } from "../http/http-client.ts";
import { isSafePlace } from "../http/redirect.ts";
import { refusedUrl } from "../http/transport-error.ts";
import { responseError } from "../response-error.ts";
import type { Session } from "../session.ts";

export interface Page {
  readonly bytes: Uint8Array;
  header(name: string): string | undefined;
}

export interface PagesRequest {
  /** Of the first page, below the registry's root. */
  readonly target: string;
  readonly accept: string;
  readonly step: string;
}

/** A bound for registries that never end. */
const MAX_PAGES = 1000;

/**
 * The pages, each of at most 4 MiB; none where the first is not there (404).
 * @throws REGISTRY_REFUSED where there are more than 1000, or they lead in a circle or to a place that is not safe.
 */
export async function* fetchPages(session: Session, { accept, step, target }: PagesRequest): AsyncGenerator<Page> {
  const seen = new Set<string>();
  for (let next: string | undefined = target; next !== undefined; ) {
    if (seen.has(next)) throw new DevboxError("REGISTRY_REFUSED", { step, because: "its pages lead in a circle" });
    if (seen.size === MAX_PAGES) {
      throw new DevboxError("REGISTRY_REFUSED", { step, because: `it has more than ${MAX_PAGES} pages` });
    }
    seen.add(next);
    const headers = { accept };
    const response: HttpResponse = await session.send({
      method: "GET",
      target: next,
      headers,
      step,
      bufferBytes: MAX_MANIFEST_BYTES,
    });
    if (response.status === 404 && next === target) return response.discard();
    if (response.status !== 200) throw await responseError(response, step);
    yield { bytes: await readAll(response.body), header: response.header };
    next = nextPage(response, session.options.tlsVerify, step);
  }
}

function nextPage(response: HttpResponse, tlsVerify: boolean, step: string): string | undefined {
  const link = readNextLink(response.headerValues("link").join(", "));
  if (link === undefined) return undefined;
  const url = URL.parse(link, response.url.href);
  if (url === null) throw refusedUrl(response.url, step, "the next page is at something that is not a URL");
  if (!isSafePlace(url, response.url, tlsVerify))
    throw refusedUrl(url, step, "the next page is at a place that is not safe");
  return url.href;
}

/** The target of `<…>; rel="next"` in a Link header, as it is written; undefined: this is the last page. */
export function readNextLink(header: string): string | undefined {
  for (const [, target, parameters = ""] of header.matchAll(/<([^<>]*)>((?:\s*;\s*[^",;]+(?:"[^"]*")?)*)/g)) {
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\s*(?:;|$))/i.test(parameters)) return target;
  }
  return undefined;
}
