/** Published ports as docker writes them: `[[IP:]HOST:]CONTAINER[/tcp|udp]`, each port a number or a range. */
import { DevboxError } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";

const anyAddress = "0.0.0.0";
const maxPort = 65535;

/**
 * `8080:80`, `127.0.0.1:8080:80/udp`, `[::1]:8080:80`, `8000-8009:9000-9009`; `80`, `127.0.0.1::80` and `0:80` leave
 * the choice of a free host port to whoever publishes it (hostPort 0).
 * @returns one mapping a port.
 * @throws DevboxError USAGE with the reason.
 */
export function parsePort(text: string): readonly PortMapping[] {
  const [ports = "", written = "tcp", ...more] = text.split("/");
  const protocol = written.toLowerCase();
  if (more.length > 0 || (protocol !== "tcp" && protocol !== "udp")) {
    throw badPort(text, `the protocol is tcp or udp, not ${[written, ...more].join("/")}`);
  }
  const { hostIp, host, container } = splitPort(text, ports);
  const containerPorts = parseRange(text, container);
  const isFree = host === "" || host === "0";
  const hostPorts = isFree ? { first: 0, count: containerPorts.count } : parseRange(text, host);
  if (hostPorts.count !== containerPorts.count) {
    throw badPort(text, `${hostPorts.count} host ports do not fit ${containerPorts.count} ports of the box`);
  }
  return Array.from({ length: containerPorts.count }, (_, offset) => ({
    hostIp,
    hostPort: isFree ? 0 : hostPorts.first + offset,
    containerPort: containerPorts.first + offset,
    protocol,
  }));
}

/** The form that `parsePort` reads. */
export function formatPort({ hostIp, hostPort, containerPort, protocol }: PortMapping): string {
  const address = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
  return `${address}:${hostPort === 0 ? "" : hostPort}:${containerPort}/${protocol}`;
}

interface SplitPort {
  readonly hostIp: string;
  readonly host: string;
  readonly container: string;
}

function splitPort(text: string, ports: string): SplitPort {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(ports);
  const parts = (bracketed?.[2] ?? ports).split(":");
  if (bracketed !== null) {
    const [hostIp = "", [host = "", container, ...more]] = [bracketed[1], parts];
    if (!isIPv6(hostIp)) throw badPort(text, `${hostIp} is not an IPv6 address`);
    if (container === undefined || more.length > 0) throw badPort(text, "after the address come HOST:CONTAINER");
    return { hostIp, host, container };
  }
  if (parts.length > 3) throw badPort(text, "it has too many parts; IPv6 addresses stand in brackets");
  const [container = "", host = "", hostIp = ""] = parts.toReversed();
  if (hostIp !== "" && !isIPv4(hostIp)) throw badPort(text, `${hostIp} is not an IP address`);
  return { hostIp: hostIp || anyAddress, host, container };
}

function parseRange(text: string, range: string): { readonly first: number; readonly count: number } {
  const match = /^(\d+)(?:-(\d+))?$/.exec(range);
  if (match === null) throw badPort(text, range === "" ? "the port of the box is missing" : `${range} is not a port`);
  const first = Number(match[1]);
  const last = Number(match[2] ?? first);
  if (first < 1 || last > maxPort) throw badPort(text, `${range} is not within 1 to ${maxPort}`);
  if (last < first) throw badPort(text, `the range ${range} ends before it starts`);
  return { first, count: last - first + 1 };
}

export function isIPv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) <= 255);
}

/** By the URL parser, so that `run` does not load node:net. */
function isIPv6(text: string): boolean {
  return /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}

function badPort(text: string, because: string): DevboxError {
  return new DevboxError("USAGE", {
    step: `read --publish ${text}`,
    because,
    hint: "for example -p 8080:80, -p 127.0.0.1:8080:80 or -p 5353:53/udp",
  });
}
