/** Layouts of the kernel's structures (uapi headers), the same on x86_64 and aarch64: both 64-bit and little-endian. */

/** A point in time as the kernel keeps it. `nanoseconds` may be UTIME_NOW or UTIME_OMIT for utimensat(2). */
export interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** struct timespec[2]: access time, modification time. */
export const timespecPairBytes = 32;

/** Write struct timespec at `offset`. */
export function writeTimespec(view: DataView, offset: number, time: Timespec): void {
  view.setBigInt64(offset, BigInt(time.seconds), true);
  view.setBigInt64(offset + 8, BigInt(time.nanoseconds), true);
}

/** openat2(2). */
export interface OpenHow {
  readonly flags: number;
  readonly mode?: number;
  readonly resolve?: number;
}

/** struct open_how: flags, mode, resolve, 8 bytes each. */
export function openHow(how: OpenHow): Uint8Array {
  return new Uint8Array(new BigUint64Array([how.flags, how.mode ?? 0, how.resolve ?? 0].map(BigInt)).buffer);
}

/** ioctl_tty(2), struct winsize. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** struct winsize: rows, columns, and two pixel sizes that nobody uses. */
export function winsize(size: WindowSize): Uint16Array {
  return new Uint16Array([size.rows, size.columns, 0, 0]);
}

/**
 * struct termios of the kernel (asm-generic/termbits.h), not of the C library:
 * four flag words (input, output, control, local), the line discipline, 19 control characters.
 */
export const termiosBytes = 36;
export const termiosOutputFlags = 4;
export const termiosControlCharacters = 17;

/** struct sockaddr_un: family (2 bytes), then the path. */
export const sockaddrUnPathBytes = 108;

/** struct cmsghdr: cmsg_len (8 bytes), cmsg_level, cmsg_type; data follows at once, aligned to 8 (cmsg(3)). */
export const cmsgHeaderBytes = 16;

/** Room for one control message of `length` bytes of data: CMSG_SPACE of cmsg(3). */
export function cmsgSpace(length: number): number {
  return cmsgHeaderBytes + Math.ceil(length / 8) * 8;
}

/** struct msghdr (56 bytes) without a name, over one iovec and one control buffer, both given by address and length. */
export function msghdr(
  iovec: { readonly address: number; readonly count: number },
  control: { readonly address: number; readonly length: number },
): BigUint64Array {
  return new BigUint64Array([0, 0, iovec.address, iovec.count, control.address, control.length, 0].map(BigInt));
}

/** Index of msg_controllen and of msg_flags (low half) in `msghdr`, for reading after recvmsg(2). */
export const msghdrControlLength = 5;
export const msghdrFlags = 6;
