/** The loopback interface of a box without a network: brought up from inside its namespace (netdevice(7)). */
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from "../../ffi/constants.ts";
import type { Data, SyscallOp } from "../../ffi/launcher/wire.ts";

// netdevice(7): linux/sockios.h, net/if.h
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

// struct ifreq: a name of 16 bytes, then a union of 24 that starts with the flags.
const ifreqBytes = 40;
const ifreqFlags = 16;

/**
 * Steps that bring `lo` up, for a plan that runs in the new network namespace and holds CAP_NET_ADMIN there.
 * The kernel gives it 127.0.0.1 and ::1 by itself. Only with `--network none`: slirp4netns does it on its own.
 * `slot` holds the socket in between.
 */
export function loopbackOps(slot: number): readonly SyscallOp[] {
  return [
    {
      kind: "syscall",
      label: "open a socket to bring up the loopback interface",
      call: "socket",
      args: [AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0],
      save: slot,
    },
    {
      kind: "syscall",
      label: "bring up the loopback interface",
      call: "ioctl",
      args: [{ slot }, SIOCSIFFLAGS, { data: loopbackUp() }],
    },
    { kind: "syscall", label: "close the socket of the loopback interface", call: "close", args: [{ slot }] },
  ];
}

/** struct ifreq {"lo", IFF_UP | IFF_RUNNING}. */
function loopbackUp(): Data {
  const bytes = new Uint8Array(ifreqBytes);
  bytes.set(new TextEncoder().encode("lo"));
  new DataView(bytes.buffer).setInt16(ifreqFlags, IFF_UP | IFF_RUNNING, true);
  return { bytes };
}
