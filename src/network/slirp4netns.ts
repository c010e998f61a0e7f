/**
 * slirp4netns(1), the default driver: a network in user space, which needs no privileges. This file is its pure part:
 * the command line and what the box gets to know. Started by start-slirp4netns.ts or, under another runtime, by the hook.
 *
 * A box has 10.0.2.100, sees the host as 10.0.2.2 and the host's resolver as 10.0.2.3, and cannot reach what listens
 * on the host's loopback.
 */
import { DevboxError } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import type { Hook } from "../oci/runtime.ts";
import type { NetworkContribution, NetworkRequest } from "./driver.ts";
import { formatPort, isIPv4 } from "./ports.ts";

/** Of the box; slirp4netns --configure gives it to tap0. */
export const boxAddress = "10.0.2.100";
/** Forwards to the first nameserver of the host's /etc/resolv.conf, read anew when it changes: a laptop moves. */
const nameserver = "10.0.2.3";

/** slirp4netns' largest MTU but one, as podman has it: 6.8 Gbit/s out where 1500 gives 0.75. */
const mtu = 65520;

/** Names in the box's directory. */
export const socketName = "slirp4netns.sock";
export const logName = "slirp4netns.log";

/** Longest time that a runtime waits for the hook, in seconds; it takes 10 ms. */
const hookTimeout = 30;

/** @throws DevboxError USAGE for ports on IPv6 addresses: slirp4netns publishes on IPv4 only. */
export function contributeSlirp4netns(request: NetworkRequest): NetworkContribution {
  for (const port of request.ports) requireIPv4(port);
  return {
    hooks: {
      createRuntime: [hook(request, "start", ["--helper", request.helper, ...request.ports.map(formatPort)])],
      poststop: [hook(request, "stop", [])],
    },
    nameservers: [nameserver],
    address: boxAddress,
  };
}

function requireIPv4(port: PortMapping): void {
  if (isIPv4(port.hostIp)) return;
  throw new DevboxError("USAGE", {
    step: `publish ${formatPort(port)}`,
    because: "slirp4netns publishes ports on IPv4 addresses only",
    hint: `use an IPv4 address: -p 127.0.0.1:${port.hostPort || ""}:${port.containerPort}`,
  });
}

function hook({ self, boxDirectory }: NetworkRequest, verb: "start" | "stop", rest: readonly string[]): Hook {
  const [path = "", ...more] = self;
  const args = [path, ...more, "hook", "slirp4netns", verb, "--directory", boxDirectory, ...rest];
  return { path, args, timeout: hookTimeout };
}

/** What `slirp4netns` is to be started with. */
export interface Slirp4netnsArguments {
  /** A process in the network namespace. */
  readonly pid: number;
  readonly readyFd: number;
  readonly exitFd: number | undefined;
  /** Path of the API socket; only for those who publish ports. */
  readonly apiSocket: string | undefined;
}

/**
 * The namespaces are named by the process, not by paths (--netns-type=path --userns-path): given paths, 1.2.0 cannot
 * enter its sandbox as an ordinary user ("setegid(0)", "parent failed"), because it has no user namespace to enter.
 */
export function slirp4netnsArguments(options: Slirp4netnsArguments): readonly string[] {
  return [
    "--configure",
    `--mtu=${mtu}`,
    "--disable-host-loopback",
    "--enable-sandbox",
    "--enable-seccomp",
    `--ready-fd=${options.readyFd}`,
    ...(options.exitFd === undefined ? [] : [`--exit-fd=${options.exitFd}`]),
    ...(options.apiSocket === undefined ? [] : [`--api-socket=${options.apiSocket}`]),
    String(options.pid),
    "tap0",
  ];
}

/** Options that confine slirp4netns itself: it works without them where it is too old (before 0.4). */
const confinement: readonly string[] = ["--enable-sandbox", "--enable-seccomp"];

/** The arguments less the confining option that this slirp4netns says it does not know; undefined: it failed otherwise. */
export function withoutUnknownOption(args: readonly string[], log: string): readonly string[] | undefined {
  const unknown = /unrecognized option:? '?(--[a-z-]+)/.exec(log)?.[1];
  if (unknown === undefined || !confinement.includes(unknown) || !args.includes(unknown)) return undefined;
  return args.filter((argument) => argument !== unknown);
}

/** Lines of slirp4netns' output that say nothing about a failure: notices, and "it failed" after what failed. */
const noReason = /^(?:WARNING|sent tapfd|received tapfd|Starting slirp|\*|child failed|parent failed|$)/;

/** The line of slirp4netns' output that says what went wrong: the last one that is a reason. */
export function reasonIn(log: string): string | undefined {
  const lines = log.split("\n").map((line) => line.trim());
  return lines.findLast((line) => !noReason.test(line));
}
