import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { PortMapping } from "../../../src/core/ports.ts";
import { formatPort, parsePort } from "../../../src/network/ports.ts";

const mapping = (hostIp: string, hostPort: number, containerPort: number, protocol: "tcp" | "udp" = "tcp") => ({
  hostIp,
  hostPort,
  containerPort,
  protocol,
});

describe("forms", () => {
  test.each<[string, PortMapping[]]>([
    ["80", [mapping("0.0.0.0", 0, 80)]],
    ["0:80", [mapping("0.0.0.0", 0, 80)]],
    ["127.0.0.1:0:80", [mapping("127.0.0.1", 0, 80)]],
    ["8080:80", [mapping("0.0.0.0", 8080, 80)]],
    ["5353:53/udp", [mapping("0.0.0.0", 5353, 53, "udp")]],
    ["5353:53/UDP", [mapping("0.0.0.0", 5353, 53, "udp")]],
    ["127.0.0.1:8080:80", [mapping("127.0.0.1", 8080, 80)]],
    ["127.0.0.1::80/tcp", [mapping("127.0.0.1", 0, 80)]],
    ["[::1]:8080:80", [mapping("::1", 8080, 80)]],
    ["[::]::80", [mapping("::", 0, 80)]],
    ["8000-8001:9000-9001", [mapping("0.0.0.0", 8000, 9000), mapping("0.0.0.0", 8001, 9001)]],
    ["9000-9001/udp", [mapping("0.0.0.0", 0, 9000, "udp"), mapping("0.0.0.0", 0, 9001, "udp")]],
    ["127.0.0.1:8000-8001:80-81", [mapping("127.0.0.1", 8000, 80), mapping("127.0.0.1", 8001, 81)]],
  ])("%s", (text, expected) => expect<unknown>(parsePort(text)).toEqual(expected));
});

describe("refused with the reason", () => {
  test.each([
    ["", "the port of the box is missing"],
    ["8080:", "the port of the box is missing"],
    ["http:80", "http is not a port"],
    ["8080:-80", "-80 is not a port"],
    ["8080:0", "0 is not within 1 to 65535"],
    ["0-1:80-81", "0-1 is not within 1 to 65535"],
    ["8080:65536", "65536 is not within"],
    ["80-79", "ends before it starts"],
    ["8000-8002:80-81", "3 host ports do not fit 2 ports"],
    ["8080:80/sctp", "not sctp"],
    ["8080:80/tcp/udp", "not tcp/udp"],
    ["127.0.0.1:80", "127.0.0.1 is not a port"],
    ["localhost:80:80", "localhost is not an IP address"],
    ["256.0.0.1:80:80", "256.0.0.1 is not an IP address"],
    ["::1:8080:80", "IPv6 addresses stand in brackets"],
    ["[::g]:80:80", "::g is not an IPv6 address"],
    ["[::1]:80", "HOST:CONTAINER"],
    ["[::1]:1:2:3", "HOST:CONTAINER"],
    ["1:2:3:4", "too many parts"],
  ])("%s", (text, because) => {
    expect(() => parsePort(text)).toThrow(expect.objectContaining({ code: "USAGE", step: `read --publish ${text}` }));
    expect(() => parsePort(text)).toThrow(because);
  });
});

test("law: what is formatted is read back", () => {
  const anyMapping = fc.record({
    hostIp: fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => URL.canParse(`http://[${text}]/`)),
    ),
    hostPort: fc.integer({ min: 0, max: 65535 }),
    containerPort: fc.integer({ min: 1, max: 65535 }),
    protocol: fc.constantFrom("tcp" as const, "udp" as const),
  });
  fc.assert(fc.property(anyMapping, (port) => expect(parsePort(formatPort(port))).toEqual([port])));
});
