/** The text of /etc/hosts and /etc/resolv.conf of a box, as docker writes them. */

const loopbackNames = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

export interface HostsInput {
  /** The host's own file, where the box shares its network; undefined: start afresh. */
  readonly hostFile: string | undefined;
  /** `NAME:IP`, as `--add-host` has it. */
  readonly addHosts: readonly string[];
  readonly hostname: string;
  /** The box's own address; undefined: it has but loopback. */
  readonly address: string | undefined;
}

/** hosts(5). */
export function hostsFile({ hostFile, addHosts, hostname, address }: HostsInput): string {
  const lines = hostFile === undefined ? [...loopbackNames] : hostFile.trimEnd().split("\n");
  for (const entry of addHosts) {
    // The name ends at the first colon: an IPv6 address has more of them.
    const colon = entry.indexOf(":");
    lines.push(`${entry.slice(colon + 1).replace(/^\[(.*)\]$/, "$1")}\t${entry.slice(0, colon)}`);
  }
  if (hostFile === undefined) lines.push(`${address ?? "127.0.1.1"}\t${hostname}`);
  return `${lines.join("\n")}\n`;
}

/** resolv.conf(5): the host's file with other nameservers; its search list and options stay. None given: the file as it is. */
export function resolvConf(hostFile: string, nameservers: readonly string[]): string {
  if (nameservers.length === 0) return hostFile;
  const kept = hostFile.split("\n").filter((line) => /^\s*(?:search|domain|options|sortlist)\s/.test(line));
  return `${[...kept, ...nameservers.map((address) => `nameserver ${address}`)].join("\n")}\n`;
}
