/** What a registry says of an upload: where it goes on, how much is there, how large a chunk must be. */
import type { HttpResponse } from "../http/http-client.ts";
import { isSafePlace } from "../http/redirect.ts";
import { refusedUrl } from "../http/transport-error.ts";

/**
 * The URL that an answer's Location names: relative or absolute, on whatever host, with a query that must stay as it is.
 * undefined: there is none. @throws REGISTRY_REFUSED where it leads to a place that is not safe.
 */
export function readLocation(response: HttpResponse, tlsVerify: boolean, step: string): URL | undefined {
  const text = response.header("location");
  if (text === undefined) return undefined;
  const { url } = response;
  const place = URL.parse(text, url.href);
  if (place === null) throw refusedUrl(url, step, "it names a Location that is not a URL");
  place.hash = "";
  // A registry behind a proxy that ends TLS may not know that it is asked by https: the same host is meant.
  if (url.protocol === "https:" && place.protocol === "http:" && place.hostname === url.hostname) {
    place.protocol = url.protocol;
    place.port = url.port;
  }
  if (!isSafePlace(place, url, tlsVerify)) throw refusedUrl(place, step, "the registry names a place that is not safe");
  return place;
}

/**
 * How many bytes are there by `Range: 0-N`, which names the last one (distribution-spec "Pushing a blob in chunks").
 * undefined: it does not say. `0-0` is one byte by the letter, and none to docker-registry and those that follow it.
 */
export function readUploadedBytes(range: string | undefined): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(range?.trim() ?? "")?.[1];
  if (last === undefined) return undefined;
  return last === "0" ? 0 : Number(last) + 1;
}

/** OCI-Chunk-Min-Length, in bytes; undefined: none is asked for. */
export function readChunkMinimum(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value.trim()) ? Number(value) : undefined;
}

/** `…?digest=sha256:…` after what the registry's query has already, byte for byte. */
export function completionUrl(location: URL, digest: string): URL {
  const url = new URL(location);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
