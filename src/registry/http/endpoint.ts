/** Where a registry listens: from the name in a reference to URLs. */
import { isIPv4 } from "node:net";
import { DevboxError } from "../../core/errors.ts";

/** docker.io is a name in references; the registry behind it listens elsewhere. */
const dockerHubHosts: readonly string[] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

export function isDockerHub(registry: string): boolean {
  return dockerHubHosts.includes(registry.toLowerCase());
}

/** localhost, 127.0.0.0/8 and ::1; the host as `URL.hostname` writes it. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (host === "localhost" || host.endsWith(".localhost") || host === "::1") return true;
  return isIPv4(host) && host.startsWith("127.");
}

/**
 * The base URLs to try, in order; the first that answers is the registry's. More than one only where plain http is
 * allowed: on loopback, where nobody can listen in, and where the user gave up verification.
 */
export function candidateEndpoints(registry: string, tlsVerify: boolean): readonly [URL] | readonly [URL, URL] {
  const host = isDockerHub(registry) ? "registry-1.docker.io" : registry;
  const secure = parseEndpoint(registry, `https://${host}/`);
  if (isLoopbackHost(secure.hostname)) return [parseEndpoint(registry, `http://${host}/`), secure];
  return tlsVerify ? [secure] : [secure, parseEndpoint(registry, `http://${host}/`)];
}

function parseEndpoint(registry: string, text: string): URL {
  const url = URL.parse(text);
  if (url !== null && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "") return url;
  const because = "it is not a host with an optional port";
  throw new DevboxError("BAD_REFERENCE", { step: `find the registry ${JSON.stringify(registry)}`, because });
}

/** May a request go to this URL? Plain http only to loopback, or where verification is off. */
export function isAllowedUrl(url: URL, tlsVerify: boolean): boolean {
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && (!tlsVerify || isLoopbackHost(url.hostname));
}
