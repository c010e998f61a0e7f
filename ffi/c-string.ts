/** Text and bytes as NUL-terminated strings for one call, without an allocation a call: layers make thousands. */
import { EINVAL, ENAMETOOLONG, SyscallError } from "./errno.ts";
import type { Bytes } from "./library.ts";

/** PATH_MAX of linux/limits.h, its NUL included. */
const pathMax = 4096;

const encoder = new TextEncoder();

/** Two places, since no call takes more than two strings; each holds its string until the next one is put there. */
const places: [Uint8Array?, Uint8Array?] = [];

function write(index: 0 | 1, value: Bytes): Uint8Array {
  let place = places[index];
  if (place === undefined) {
    place = new Uint8Array(pathMax);
    places[index] = place;
  }
  const length = typeof value === "string" ? encodeText(place, value) : copyBytes(place, value);
  place[length] = 0;
  // A NUL inside would silently cut the name, and the call would act on another file.
  if (place.indexOf(0) !== length) throw new SyscallError("encode", EINVAL, "a name with a NUL byte");
  return place;
}

function encodeText(place: Uint8Array, text: string): number {
  const { read, written } = encoder.encodeInto(text, place);
  if (read !== text.length || written >= pathMax) throw new SyscallError("encode", ENAMETOOLONG, text);
  return written;
}

function copyBytes(place: Uint8Array, bytes: Uint8Array): number {
  if (bytes.length >= pathMax) throw new SyscallError("encode", ENAMETOOLONG, new TextDecoder().decode(bytes));
  place.set(bytes);
  return bytes.length;
}

/** A path as a C string, valid until the next call of this function. */
export function cPath(path: Bytes): Uint8Array {
  return write(0, path);
}

/** A second string (the name of an attribute) beside the path, valid until the next call of this function. */
export function cName(name: Bytes): Uint8Array {
  return write(1, name);
}
