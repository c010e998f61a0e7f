/**
 * Publishing ports through the API socket of slirp4netns (add_hostfwd), and saying why where it does not work.
 *
 * A limit of slirp4netns: to the box, a UDP client on the host's loopback is 10.0.2.2, and with --disable-host-loopback
 * nothing gets there, so it has no answers. Clients at other addresses of the host have. TCP is not concerned.
 */
import { DevboxError, describeCause, errnoName } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import { askSlirp4netns } from "./api-socket.ts";
import { formatPort } from "./ports.ts";
import { boxAddress, socketName } from "./slirp4netns.ts";

/** Another program may take a free port between our look and slirp4netns' bind: try some more. */
const attempts = 5;

/**
 * Publishes all, in order.
 * @returns the ports as bound, free ones filled in.
 * @throws DevboxError NETWORK_FAILED naming the port.
 */
export async function publishPorts(boxDirectory: string, ports: readonly PortMapping[]): Promise<PortMapping[]> {
  const bound: PortMapping[] = [];
  for (const port of ports) bound.push(await publishPort(boxDirectory, port));
  return bound;
}

async function publishPort(boxDirectory: string, port: PortMapping): Promise<PortMapping> {
  for (let attempt = 1; ; attempt++) {
    const bound = port.hostPort === 0 ? { ...port, hostPort: await freePort(port) } : port;
    const { error } = await askSlirp4netns(boxDirectory, socketName, addHostForward(bound));
    if (error === undefined) return bound;
    if (port.hostPort !== 0 || attempt === attempts) throw await whyNot(bound, error);
  }
}

function addHostForward({ hostIp, hostPort, containerPort, protocol }: PortMapping): object {
  return {
    execute: "add_hostfwd",
    arguments: {
      proto: protocol,
      host_addr: hostIp,
      host_port: hostPort,
      guest_addr: boxAddress,
      guest_port: containerPort,
    },
  };
}

/** A port that is free at this moment. */
async function freePort(port: PortMapping): Promise<number> {
  try {
    return await bindOnce(port);
  } catch (cause) {
    throw new DevboxError("NETWORK_FAILED", { step: `publish ${formatPort(port)}`, cause });
  }
}

/** Binds the host's side of a mapping for a moment: the port that it got. Fails as slirp4netns would. */
async function bindOnce({ hostIp: hostname, hostPort: port, protocol }: PortMapping): Promise<number> {
  if (protocol === "udp") {
    const socket = await Bun.udpSocket({ hostname, port });
    const bound = socket.port;
    socket.close();
    return bound;
  }
  const listener = Bun.listen({ hostname, port, socket: { data: () => {} } });
  const bound = listener.port;
  listener.stop(true);
  return bound;
}

/** slirp4netns says only that it failed; binding the port ourselves says why. */
async function whyNot(port: PortMapping, answer: string): Promise<DevboxError> {
  const step = `publish port ${port.hostPort}/${port.protocol} on ${port.hostIp}`;
  try {
    await bindOnce(port);
  } catch (cause) {
    const name = errnoName(cause);
    return new DevboxError("NETWORK_FAILED", {
      step,
      because: reasons[name ?? ""] ?? describeCause(cause),
      hint: hintFor(name, port),
      cause,
    });
  }
  return new DevboxError("NETWORK_FAILED", { step, because: `slirp4netns: ${answer}` });
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program uses this port (EADDRINUSE)",
  EACCES: "ports below 1024 are for the administrator (EACCES)",
  EADDRNOTAVAIL: "this machine does not have that address (EADDRNOTAVAIL)",
};

function hintFor(name: string | undefined, { containerPort }: PortMapping): string {
  if (name === "EACCES") return "take a higher port, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=80";
  return `take another port, or any that is free: -p ${containerPort}`;
}
