/** Extended attributes of files given by path (never following a symbolic link) or by descriptor: xattr(7). */
import { cName, cPath } from "./c-string.ts";
import { SyscallError } from "./errno.ts";
import { type Bytes, check, lastErrno, libc } from "./library.ts";

const ENODATA = 61;
const ERANGE = 34;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h. */
const sizeMax = 65536;

/** lsetxattr(2). `flags`: XATTR_CREATE or XATTR_REPLACE. */
export function lsetxattr(path: Bytes, name: Bytes, value: Uint8Array, flags = 0): void {
  check("lsetxattr", path, libc().lsetxattr(cPath(path), cName(name), value, value.length, flags));
}

/** fsetxattr(2). */
export function fsetxattr(fd: number, name: Bytes, value: Uint8Array, flags = 0): void {
  check("fsetxattr", fd, libc().fsetxattr(fd, cName(name), value, value.length, flags));
}

/** lgetxattr(2); undefined if the file has no such attribute. */
export function lgetxattr(path: Bytes, name: Bytes): Uint8Array | undefined {
  return read("lgetxattr", path, (buffer) => libc().lgetxattr(cPath(path), cName(name), buffer, buffer.length));
}

/** fgetxattr(2); undefined if the file has no such attribute. */
export function fgetxattr(fd: number, name: Bytes): Uint8Array | undefined {
  return read("fgetxattr", fd, (buffer) => libc().fgetxattr(fd, cName(name), buffer, buffer.length));
}

/** llistxattr(2): the names of all attributes that the caller may see. */
export function llistxattr(path: Bytes): string[] {
  const list = read("llistxattr", path, (buffer) => libc().llistxattr(cPath(path), buffer, buffer.length));
  return list === undefined ? [] : new TextDecoder().decode(list).split("\0").slice(0, -1);
}

/** flistxattr(2): the same of an open file. */
export function flistxattr(fd: number): string[] {
  const list = read("flistxattr", fd, (buffer) => libc().flistxattr(fd, buffer, buffer.length));
  return list === undefined ? [] : new TextDecoder().decode(list).split("\0").slice(0, -1);
}

/** lremovexattr(2); ENODATA if the file has no such attribute. */
export function lremovexattr(path: Bytes, name: Bytes): void {
  check("lremovexattr", path, libc().lremovexattr(cPath(path), cName(name)));
}

/** Call with a buffer that is enough for nearly all, and once more with the largest that the kernel knows. */
function read(call: string, object: Bytes | number, get: (buffer: Uint8Array) => number): Uint8Array | undefined {
  for (const size of [1024, sizeMax]) {
    const buffer = new Uint8Array(size);
    const length = get(buffer);
    if (length !== -1) return buffer.subarray(0, length);
    const errno = lastErrno();
    if (errno === ENODATA) return undefined;
    if (errno !== ERANGE || size === sizeMax) throw new SyscallError(call, errno, describe(object));
  }
  return undefined;
}

function describe(object: Bytes | number): string {
  if (typeof object === "number") return `descriptor ${object}`;
  return typeof object === "string" ? object : new TextDecoder().decode(object);
}
