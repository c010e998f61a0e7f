/** The log of a detached box as the launcher's monitor writes it (ffi/launcher/wire.ts `logFrameHeaderBytes`): bytes → frames. */
import { logFrameHeaderBytes } from "../../ffi/launcher/wire.ts";

/** What a box printed at once. */
export interface LogFrame {
  readonly stream: "stdout" | "stderr";
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly bytes: Uint8Array;
}

/** Larger ones no monitor writes: it prints what one read(2) of a pipe brings. */
const maxFrameBytes = 16 * 1024 * 1024;

const stderrNumber = 2;

export interface ReadFrames {
  readonly frames: readonly LogFrame[];
  /** Bytes that were whole frames; what follows is the beginning of one. */
  readonly consumed: number;
}

/** The whole frames at the head of `bytes`. A length that cannot be ends it: what follows is no log. */
export function parseFrames(bytes: Uint8Array): ReadFrames {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: LogFrame[] = [];
  let at = 0;
  while (at + logFrameHeaderBytes <= bytes.length) {
    const length = view.getUint32(at, true);
    const end = at + logFrameHeaderBytes + length;
    if (length > maxFrameBytes || end > bytes.length) break;
    const stream = view.getUint32(at + 4, true) === stderrNumber ? "stderr" : "stdout";
    frames.push({ stream, time: view.getBigInt64(at + 8, true), bytes: bytes.subarray(at + logFrameHeaderBytes, end) });
    at = end;
  }
  return { frames, consumed: at };
}

const newline = 10;

export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++;
  return count;
}

/** What follows the first `lines` lines. */
export function afterLines(bytes: Uint8Array, lines: number): Uint8Array {
  let at = 0;
  for (let skipped = 0; skipped < lines; skipped++) at = bytes.indexOf(newline, at) + 1;
  return bytes.subarray(at);
}

/** Time stamps before every line, each stream's lines by themselves: docker's `logs --timestamps`. */
export function stampLines(): (frame: LogFrame) => Uint8Array {
  const isWithin = { stdout: false, stderr: false };
  return ({ stream, time, bytes }) => {
    const stamp = new TextEncoder().encode(`${formatTime(time)} `);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(newline, at) + 1 || bytes.length;
      if (!isWithin[stream]) parts.push(stamp);
      parts.push(bytes.subarray(at, end));
      isWithin[stream] = bytes[end - 1] !== newline;
      at = end;
    }
    return Buffer.concat(parts);
  };
}

/** RFC 3339 with nine digits of the second, in UTC. */
export function formatTime(time: bigint): string {
  const milliseconds = Number(time / 1_000_000n);
  const rest = String(time % 1_000_000n).padStart(6, "0");
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${rest}Z`;
}
