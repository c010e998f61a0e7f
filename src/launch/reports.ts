/** The reading end of a report pipe. */
import { closeSync, readSync } from "node:fs";
import { wire } from "../../ffi/launcher/format.ts";
import { decodeReport } from "../../ffi/launcher/report.ts";
import type { LaunchReport } from "../../ffi/launcher/wire.ts";
import { errnoName } from "../core/errors.ts";

export interface ReportReader {
  /** The next report as soon as it comes; undefined when nobody is left who could report. */
  next(): Promise<LaunchReport | undefined>;
  /** All reports not yet read of processes that have ended, although others may still hold the pipe. */
  drain(): Promise<LaunchReport[]>;
  close(): void;
}

/** More than any plan reports between two reads. */
const chunkBytes = 64 * wire.REPORT_BYTES;

interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** Read reports from `fd`, the non-blocking reading end of a pipe, which the reader then owns. */
export function openReports(fd: number): ReportReader {
  const waiting: LaunchReport[] = [];
  let stream: ChunkReader | undefined;
  /** The read under way, which puts what it brings into `waiting`; false at the end of the pipe. */
  let reading: Promise<boolean> | undefined;
  let closed = false;

  const readMore = (): Promise<boolean> => {
    const from: ChunkReader = stream ?? Bun.file(fd).stream().getReader();
    stream = from;
    reading ??= from.read().then(({ done, value }) => {
      reading = undefined;
      if (value !== undefined) decode(value, waiting);
      return !done;
    });
    return reading;
  };

  return {
    next: async () => {
      // Mostly it is there already, and a stream costs more than the rest of the launch.
      if (waiting.length === 0 && stream === undefined && !closed) readNow(fd, waiting);
      while (waiting.length === 0 && !closed && (await readMore()));
      return waiting.shift();
    },
    drain: async () => {
      if (closed) return waiting.splice(0);
      if (stream !== undefined) {
        // The stream may have taken bytes out of the pipe already; they arrive before the next turn.
        readMore().catch(() => {});
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      readNow(fd, waiting);
      return waiting.splice(0);
    },
    close: () => {
      if (closed) return;
      closed = true;
      stream?.cancel().catch(() => {});
      closeSync(fd);
    },
  };
}

/** Records are written whole (pipe(7), PIPE_BUF), so a read never ends inside of one. */
function decode(bytes: Uint8Array, into: LaunchReport[]): void {
  for (let at = 0; at < bytes.length; at += wire.REPORT_BYTES) {
    const report = decodeReport(bytes, at);
    if (report !== undefined) into.push(report);
  }
}

function readNow(fd: number, into: LaunchReport[]): void {
  const chunk = new Uint8Array(chunkBytes);
  try {
    decode(chunk.subarray(0, readSync(fd, chunk)), into);
  } catch (error) {
    if (errnoName(error) !== "EAGAIN") throw error;
  }
}
