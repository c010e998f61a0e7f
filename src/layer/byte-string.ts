/**
 * File names are bytes to Linux and to tar; UTF-8 is only a habit. A `ByteString` holds one byte a character
 * (latin1), so that names compare, split and serve as keys like any string while every byte survives.
 */

/** One byte a character: every code is at most 255. */
export type ByteString = string;

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is exactly this range
const ascii = /^[\x00-\x7f]*$/;

/** What node:fs and ffi take as a path. ASCII goes as it is, which is faster than a buffer; the rest as bytes. */
export function kernelPath(bytes: ByteString): string | Buffer {
  return ascii.test(bytes) ? bytes : Buffer.from(bytes, "latin1");
}

export function bytesOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** Bytes to a ByteString. */
export function byteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Text (a path of ours, say) to the bytes of its UTF-8. */
export function byteStringOfText(text: string): ByteString {
  return ascii.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}

/** For messages: UTF-8 where it is, control characters made visible, cut at 200 characters. */
export function display(bytes: ByteString): string {
  const text = ascii.test(bytes) ? bytes : bytesOf(bytes).toString("utf8");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a hostile name must not drive the terminal
  const visible = text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return visible.length <= 200 ? visible : `${visible.slice(0, 200)}…`;
}

/** base64 of the bytes, as paths travel in the worker protocol. */
export function toBase64(bytes: ByteString): string {
  return bytesOf(bytes).toString("base64");
}

export function fromBase64(base64: string): ByteString {
  return Buffer.from(base64, "base64").toString("latin1");
}
