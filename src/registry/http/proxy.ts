/** Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY, NO_PROXY as curl and Go programs read them. */
import { BlockList, isIP } from "node:net";
import { DevboxError } from "../../core/errors.ts";
import { isLoopbackHost } from "./endpoint.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for `url`, or undefined for a direct connection. Loopback never goes through a proxy.
 * @throws BAD_CONFIG naming the variable whose value is no http or https URL.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  if (isLoopbackHost(url.hostname) || bypassesProxy(url, firstOf(env, "NO_PROXY", "no_proxy") ?? "")) return undefined;
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const value = firstOf(env, name, name.toLowerCase());
  return value === undefined ? undefined : parseProxy(value, name);
}

function firstOf(env: Environment, ...names: readonly string[]): string | undefined {
  for (const name of names) if (env[name]) return env[name];
  return undefined;
}

function parseProxy(value: string, variable: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url;
  // The value may carry a password, so it is not shown.
  const because = url === null ? "its value is not a URL" : `${url.protocol} proxies are not supported`;
  const hint = `set ${variable} to an http:// or https:// URL, or unset it`;
  throw new DevboxError("BAD_CONFIG", { step: `read ${variable}`, because, hint });
}

/** Does `noProxy` (comma or space separated: host, .domain, IP, CIDR, each with an optional :port, or *) name this host? */
export function bypassesProxy(url: URL, noProxy: string): boolean {
  const host = bareHost(url.hostname);
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy.split(/[\s,]+/).some((entry) => entry !== "" && entryNames(entry.toLowerCase(), host, port));
}

function entryNames(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const slash = entry.indexOf("/");
  if (slash >= 0) return subnetHolds(entry.slice(0, slash), entry.slice(slash + 1), host);
  const { name, entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;
  if (isIP(name) !== 0) return isIP(host) !== 0 && sameAddress(name, host);
  // ".a.b" and "*.a.b" name what is below a.b; "a.b" names a.b as well.
  const suffix = name.startsWith("*.") ? name.slice(1) : name;
  if (suffix.startsWith(".")) return host.endsWith(suffix);
  return host === suffix || host.endsWith(`.${suffix}`);
}

function splitPort(entry: string): { readonly name: string; readonly entryPort: string | undefined } {
  if (isIP(entry) !== 0) return { name: entry, entryPort: undefined };
  const match = /^(.*?)(?::(\d+))?$/.exec(entry);
  return { name: bareHost(match?.[1] ?? entry), entryPort: match?.[2] };
}

/** `[::1]` → `::1`; a trailing dot of a full domain name goes. */
function bareHost(host: string): string {
  return host
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

function subnetHolds(network: string, prefix: string, host: string): boolean {
  const version = isIP(network);
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (version === 0 || isIP(host) !== version || !(bits <= (version === 4 ? 32 : 128))) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family(network));
  return list.check(host, family(host));
}

/** IPv6 addresses have many spellings. */
function sameAddress(one: string, other: string): boolean {
  return subnetHolds(one, isIP(one) === 4 ? "32" : "128", other);
}
