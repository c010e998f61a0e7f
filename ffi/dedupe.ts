/** ioctl_fideduperange(2): the kernel compares two files, and lets equal ranges share their blocks. */
import { FIDEDUPERANGE } from "./constants.ts";
import { EINVAL, SyscallError } from "./errno.ts";
import { check, libc } from "./library.ts";

/**
 * struct file_dedupe_range (source offset and length, 8 bytes each; count of targets, 2 bytes; 6 reserved) with one struct
 * file_dedupe_range_info (descriptor, offset and bytes deduplicated, 8 bytes each; status, 4 bytes; 4 reserved).
 */
const bytes = new Uint8Array(24 + 32);
const request = new DataView(bytes.buffer);
const statusDiffers = 1;

/**
 * Let the first `length` bytes of `target` share the blocks of `source` if they are the same: all of them or, where not, none
 * of the range in which they differ. Contents and times stay as they are. `target` may be open for reading only, by its owner.
 * @returns whether they were the same
 * @throws SyscallError EOPNOTSUPP where the file system cannot; EXDEV between file systems; EINVAL and others of the man page
 */
export function dedupe(source: number, target: number, length: number): boolean {
  for (let offset = 0; offset < length; ) {
    request.setBigUint64(0, BigInt(offset), true);
    request.setBigUint64(8, BigInt(length - offset), true);
    request.setUint16(16, 1, true);
    request.setBigInt64(24, BigInt(target), true);
    request.setBigUint64(32, BigInt(offset), true);
    request.setBigUint64(40, 0n, true);
    request.setInt32(48, 0, true);
    check("ioctl FIDEDUPERANGE", source, libc().ioctl(source, FIDEDUPERANGE, bytes));
    const status = request.getInt32(48, true);
    if (status === statusDiffers) return false;
    if (status < 0) throw new SyscallError("ioctl FIDEDUPERANGE", -status, `descriptor ${target}`);
    // "The kernel may deduplicate less than was asked for": file systems take some MiB at a time.
    const done = Number(request.getBigUint64(40, true));
    if (done === 0) throw new SyscallError("ioctl FIDEDUPERANGE", EINVAL, `descriptor ${target}`);
    offset += done;
  }
  return true;
}
