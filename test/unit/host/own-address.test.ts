import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { chooseAddress } from "../../../src/host/own-address.ts";

const header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const route = (name: string, destination: string, metric: number, mask: string) =>
  `${name}\t${destination}\t010200C0\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0   \n`;

function v4(address: string, internal = false): NetworkInterfaceInfo {
  return { address, family: "IPv4", internal, netmask: "", mac: "", cidr: null };
}
function v6(address: string): NetworkInterfaceInfo {
  return { address, family: "IPv6", internal: false, netmask: "", mac: "", cidr: null, scopeid: 0 };
}

const interfaces = {
  lo: [v4("127.0.0.1", true)],
  docker0: [v4("172.17.0.1")],
  wlan0: [v6("fe80::1"), v4("192.0.2.7")],
  eth0: [v4("198.51.100.9")],
};

test("the address of the default route, the one with the lowest metric", () => {
  const routes = header + route("wlan0", "00000000", 600, "00000000") + route("eth0", "00000000", 100, "00000000");
  expect(chooseAddress(routes, interfaces)).toBe("198.51.100.9");
  expect(chooseAddress(header + route("wlan0", "00000000", 600, "00000000"), interfaces)).toBe("192.0.2.7");
});

test("without a default route, the first that is not loopback's", () => {
  expect(chooseAddress(header + route("eth0", "006433C6", 0, "00FFFFFF"), interfaces)).toBe("172.17.0.1");
  expect(chooseAddress("", { lo: interfaces.lo, dummy: [v6("fe80::2")] })).toBeUndefined();
});

test("a default route through an interface without an IPv4 address", () => {
  const routes = header + route("tun9", "00000000", 0, "00000000");
  expect(chooseAddress(routes, { ...interfaces, tun9: [v6("fe80::3")] })).toBe("172.17.0.1");
});
