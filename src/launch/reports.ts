/** The reading end of reports: of the launcher's pipe, or of a FIFO that a process of a plan was told to report to. */
import { closeSync, readSync } from "node:fs";
import { wire } from "../../ffi/launcher/format.ts";
import { decodeReport } from "../../ffi/launcher/report.ts";
import type { LaunchReport } from "../../ffi/launcher/wire.ts";
import { errnoName } from "../core/errors.ts";
import type { FailedReport } from "./failure.ts";

export interface ReportReader {
  /** The next report as soon as it comes; undefined when nobody is left who could report. */
  next(): Promise<LaunchReport | undefined>;
  /** The first failure that was reported until now, by processes that have ended, although others may still hold the pipe. */
  failure(): Promise<FailedReport | undefined>;
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
  let failed: FailedReport | undefined;
  let stream: ChunkReader | undefined;
  /** The read under way, which puts what it brings into `waiting`; false at the end of the pipe. */
  let reading: Promise<boolean> | undefined;
  let closed = false;

  const readMore = (): Promise<boolean> => {
    const from: ChunkReader = stream ?? Bun.file(fd).stream().getReader();
    stream = from;
    reading ??= from.read().then(({ done, value }) => {
      reading = undefined;
      if (value !== undefined) take(value);
      return !done;
    });
    return reading;
  };

  const take = (bytes: Uint8Array | undefined): void => {
    if (bytes === undefined) return;
    const reports = decode(bytes);
    waiting.push(...reports);
    failed ??= reports.find(isFailure);
  };

  return {
    next: async () => {
      // Mostly it is there already, and a stream costs more than the rest of the launch.
      if (waiting.length === 0 && stream === undefined && !closed) {
        const bytes = readNow(fd);
        // A FIFO that nobody holds any more since before it was opened never wakes who polls it (fifo(7)).
        if (bytes?.length === 0) return undefined;
        take(bytes);
      }
      while (waiting.length === 0 && !closed && (await readMore()));
      return waiting.shift();
    },
    failure: async () => {
      if (closed) return failed;
      if (stream !== undefined) {
        // The stream may have taken bytes out of the pipe already; they arrive before the next turn.
        readMore().catch(() => {});
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      take(readNow(fd));
      return failed;
    },
    close: () => {
      if (closed) return;
      closed = true;
      stream?.cancel().catch(() => {});
      closeSync(fd);
    },
  };
}

/**
 * All reports that come through `fd`, the non-blocking reading end of a FIFO, until nobody holds its writing end; closes it.
 * Whoever writes may have ended long ago: then there is nothing to read, and no waiting.
 */
export async function readReports(fd: number): Promise<LaunchReport[]> {
  const reader = openReports(fd);
  try {
    const reports: LaunchReport[] = [];
    for (let report = await reader.next(); report !== undefined; report = await reader.next()) reports.push(report);
    return reports;
  } finally {
    reader.close();
  }
}

function isFailure(report: LaunchReport): report is FailedReport {
  return report.kind === "failed";
}

/** Records are written whole (pipe(7), PIPE_BUF), so a read never ends inside of one. */
function decode(bytes: Uint8Array): LaunchReport[] {
  const reports: LaunchReport[] = [];
  for (let at = 0; at < bytes.length; at += wire.REPORT_BYTES) {
    const report = decodeReport(bytes, at);
    if (report !== undefined) reports.push(report);
  }
  return reports;
}

/** What is there; undefined when there is nothing yet, no bytes at the end. */
function readNow(fd: number): Uint8Array | undefined {
  const chunk = new Uint8Array(chunkBytes);
  try {
    return chunk.subarray(0, readSync(fd, chunk));
  } catch (error) {
    if (errnoName(error) !== "EAGAIN") throw error;
    return undefined;
  }
}
