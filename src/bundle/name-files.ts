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

export interface ResolverInput {
  readonly hostFile: string;
  readonly nameservers: readonly string[];
  /** `--dns-search`; "." alone: none. */
  readonly search: readonly string[];
  /** `--dns-option`. */
  readonly options: readonly string[];
}

/** resolv.conf(5): the host's file, with what was given in the place of what it says. Nothing given: the file as it is. */
export function resolvConf({ hostFile, nameservers, search, options }: ResolverInput): string {
  if (nameservers.length + search.length + options.length === 0) return hostFile;
  const replaced = [
    ...(nameservers.length > 0 ? ["nameserver"] : []),
    // Of the two the last counts.
    ...(search.length > 0 ? ["search", "domain"] : []),
    ...(options.length > 0 ? ["options"] : []),
  ];
  const kept = hostFile.split("\n").filter((line) => {
    const [keyword = ""] = line.trim().split(/\s/);
    return ["search", "domain", "options", "sortlist", "nameserver"].includes(keyword) && !replaced.includes(keyword);
  });
  const domains = search.filter((domain) => domain !== ".");
  return `${[
    ...kept,
    ...(domains.length > 0 ? [`search ${domains.join(" ")}`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    ...nameservers.map((address) => `nameserver ${address}`),
  ].join("\n")}\n`;
}
