/** `--add-host NAME:IP`, an IPv6 address with or without brackets, or docker's `NAME:host-gateway`: this machine. */
import type { NetworkMode } from "../bundle/options.ts";
import { badFlag, isAddress } from "./run-values.ts";

export interface AddedHosts {
  /** `NAME:IP`, as bundles take them. */
  readonly addHosts: readonly string[];
  /** What was asked for and has no effect. */
  readonly notices: readonly string[];
}

/**
 * @param ownAddress the address by which slirp4netns reaches this machine; undefined: there is none
 * @throws DevboxError USAGE.
 */
export function parseAddHosts(
  texts: readonly string[],
  network: NetworkMode,
  ownAddress: () => string | undefined,
): AddedHosts {
  const addHosts: string[] = [];
  const notices: string[] = [];
  for (const text of texts) {
    const { name, address } = splitAddHost(text);
    const resolved = address === hostGateway ? gatewayOf(network, ownAddress) : address;
    if (resolved !== undefined) addHosts.push(`${name}:${resolved}`);
    else notices.push(`--add-host ${text} has no effect: ${whyNot(network)}`);
  }
  return { addHosts, notices };
}

const hostGateway = "host-gateway";

function splitAddHost(text: string): { readonly name: string; readonly address: string } {
  const [, name = "", written = ""] = /^([^:=\s]+)[:=](.+)$/.exec(text) ?? [];
  const address = written.replace(/^\[(.*)\]$/, "$1");
  if (address !== hostGateway && !isAddress(address)) {
    throw badFlag("--add-host", text, "it is not of the form NAME:IP or NAME:host-gateway", "db:192.0.2.7");
  }
  return { name, address };
}

/** Not slirp4netns' own gateway, 10.0.2.2: behind that is the host's loopback, which is closed to boxes. */
function gatewayOf(network: NetworkMode, ownAddress: () => string | undefined): string | undefined {
  switch (network) {
    case "host":
      return "127.0.0.1";
    case "none":
      return undefined;
    case "slirp4netns":
      return ownAddress();
  }
}

function whyNot(network: NetworkMode): string {
  return network === "none" ? "the box has no network" : "this machine has but loopback addresses, closed to boxes";
}
