/** Unix sockets that carry descriptors: unix(7) SCM_RIGHTS. The calls block the thread: use them where the peer answers at once. */
import { ptr } from "bun:ffi";
import {
  AF_UNIX,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_NOSIGNAL,
  SCM_RIGHTS,
  SOCK_CLOEXEC,
  SOL_SOCKET,
} from "./constants.ts";
import { ENAMETOOLONG, SyscallError } from "./errno.ts";
import { check, libc } from "./library.ts";
import {
  cmsgHeaderBytes,
  cmsgSpace,
  msghdr,
  msghdrControlLength,
  msghdrFlags,
  sockaddrUnPathBytes,
} from "./structs.ts";

const EMSGSIZE = 90;
/** More descriptors in one message than any of our peers sends; SCM_MAX_FD is 253. */
const maxDescriptors = 16;

/** socketpair(2) of unix sockets, closed on exec. `type`: SOCK_STREAM, SOCK_SEQPACKET … */
export function socketpair(type: number): [number, number] {
  const ends = new Int32Array(2);
  check("socketpair", undefined, libc().socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
  return [ends[0] ?? -1, ends[1] ?? -1];
}

/** socket(2) and connect(2) to the unix socket at `path`; the caller closes the descriptor. */
export function connectUnix(path: string, type: number): number {
  const name = new TextEncoder().encode(path);
  if (name.length >= sockaddrUnPathBytes) throw new SyscallError("connect", ENAMETOOLONG, path);
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF_UNIX;
  address.set(name, 2);
  const fd = check("socket", undefined, libc().socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  try {
    check("connect", path, libc().connect(fd, address, address.length));
  } catch (error) {
    libc().close(fd);
    throw error;
  }
  return fd;
}

/** sendmsg(2): `bytes` (at least one) with descriptors, which stay open here. */
export function sendDescriptors(socket: number, bytes: Uint8Array, fds: readonly number[]): void {
  const control = new DataView(new ArrayBuffer(cmsgSpace(fds.length * 4)));
  control.setBigUint64(0, BigInt(cmsgHeaderBytes + fds.length * 4), true);
  control.setInt32(8, SOL_SOCKET, true);
  control.setInt32(12, SCM_RIGHTS, true);
  for (const [i, fd] of fds.entries()) control.setInt32(cmsgHeaderBytes + i * 4, fd, true);
  const iovec = new BigUint64Array([BigInt(ptr(bytes)), BigInt(bytes.length)]);
  const message = msghdr({ address: ptr(iovec), count: 1 }, { address: ptr(control), length: control.byteLength });
  check("sendmsg", socket, libc().sendmsg(socket, message, MSG_NOSIGNAL));
}

/** What recvmsg(2) brought: bytes (none at the end of the stream) and descriptors, closed on exec, now the caller's. */
export interface Received {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
}

/** recvmsg(2) of at most `maxBytes` with the descriptors that come along. */
export function receiveDescriptors(socket: number, maxBytes: number): Received {
  const bytes = new Uint8Array(maxBytes);
  const control = new DataView(new ArrayBuffer(cmsgSpace(maxDescriptors * 4)));
  const iovec = new BigUint64Array([BigInt(ptr(bytes)), BigInt(maxBytes)]);
  const message = msghdr({ address: ptr(iovec), count: 1 }, { address: ptr(control), length: control.byteLength });
  const length = check("recvmsg", socket, libc().recvmsg(socket, message, MSG_CMSG_CLOEXEC));
  const fds = readRights(control, Number(message[msghdrControlLength] ?? 0n));
  if ((Number(message[msghdrFlags] ?? 0n) & MSG_CTRUNC) !== 0) {
    for (const fd of fds) libc().close(fd);
    throw new SyscallError("recvmsg", EMSGSIZE, `more than ${maxDescriptors} descriptors`);
  }
  return { bytes: bytes.subarray(0, length), fds };
}

/** All SCM_RIGHTS descriptors in a control buffer (cmsg(3)). */
function readRights(control: DataView, length: number): number[] {
  const fds: number[] = [];
  let offset = 0;
  while (offset + cmsgHeaderBytes <= length) {
    const messageLength = Number(control.getBigUint64(offset, true));
    if (messageLength < cmsgHeaderBytes) break;
    const level = control.getInt32(offset + 8, true);
    if (level === SOL_SOCKET && control.getInt32(offset + 12, true) === SCM_RIGHTS) {
      for (let at = cmsgHeaderBytes; at + 4 <= messageLength; at += 4) fds.push(control.getInt32(offset + at, true));
    }
    offset += cmsgSpace(messageLength - cmsgHeaderBytes);
  }
  return fds;
}
