/**
 * The address by which a box reaches services of this machine: that of the interface with the default route. Loopback
 * is none: slirp4netns is told to keep boxes away from it (--disable-host-loopback).
 */
import { readFileSync } from "node:fs";
import type { NetworkInterfaceInfo } from "node:os";
import { os } from "../core/os.ts";

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** An IPv4 address of this machine; undefined: it has but loopback. */
export function ownAddress(): string | undefined {
  return chooseAddress(readRoutes(), os().networkInterfaces());
}

/** `routes`: text of /proc/net/route. Without a default route, the first address that is not loopback's. */
export function chooseAddress(routes: string, interfaces: Interfaces): string | undefined {
  const names = [...defaultRoutes(routes), ...Object.keys(interfaces)];
  const addresses = names.flatMap((name) => interfaces[name] ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

/** Interfaces with a default route, the preferred first; columns as in the header line of the file (proc(5)). */
function defaultRoutes(routes: string): readonly string[] {
  return routes
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([name, destination, , , , , metric, mask]) =>
      name !== undefined && destination === "00000000" && mask === "00000000" ? [{ name, metric: Number(metric) }] : [],
    )
    .sort((a, b) => a.metric - b.metric)
    .map(({ name }) => name);
}

function readRoutes(): string {
  try {
    return readFileSync("/proc/net/route", "utf8");
  } catch {
    return "";
  }
}
