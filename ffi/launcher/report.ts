/** The launcher's reports: records of fixed size on a pipe, each written whole. */
import { events, wire } from "./format.ts";
import type { LaunchReport } from "./wire.ts";

/** One record of the report pipe (`wire.REPORT_BYTES` at `offset`); undefined if it is none. */
export function decodeReport(bytes: Uint8Array, offset = 0): LaunchReport | undefined {
  if (offset + wire.REPORT_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, wire.REPORT_BYTES);
  const what = view.getUint32(4, true);
  const value = view.getInt32(8, true);
  if (view.getUint32(0, true) === wire.REPORT_FAILED) {
    const op = what === wire.BAD_PLAN ? undefined : what;
    return { kind: "failed", op, errno: value, detail: view.getInt32(12, true) };
  }
  const event = events[what];
  return event === undefined ? undefined : { kind: "event", event, value };
}
