/** What the monitor is to do, as the block of data that `monitor.h` reads (struct monitor_settings). */
import { wire } from "./format.ts";
import { type Data, type Descriptor, type Heartbeat, logFrameHeaderBytes, type MonitorOp } from "./wire.ts";

/** Offsets of the fields, in bytes. Descriptors have 4 each. */
const field = {
  maxFiles: 24,
  maxBytes: 32,
  interval: 40,
  startInterval: 48,
  startPeriod: 56,
  path: 64,
  argv: 72,
  envp: 80,
};

/** 30 years, in milliseconds: counted in nanoseconds it is still far from 2^63. */
const longest = 2 ** 40;

/**
 * `numberOf`: the number that a descriptor has in the launcher.
 * @throws RangeError for settings that cannot be
 */
export function monitorBlock(op: MonitorOp, numberOf: (name: string) => number): Data {
  const { maxLogBytes, maxLogFiles, beat } = op.settings;
  if (!isWithin(maxLogBytes, 0, Number.MAX_SAFE_INTEGER) || (maxLogBytes > 0 && maxLogBytes <= logFrameHeaderBytes))
    throw new RangeError(`a log of ${maxLogBytes} bytes`);
  if (!isWithin(maxLogFiles, 1, 99)) throw new RangeError(`${maxLogFiles} log files`);
  const bytes = new Uint8Array(wire.MONITOR_BYTES);
  const view = new DataView(bytes.buffer);
  const descriptors: readonly Descriptor[] = [op.stdout, op.stderr, op.input, op.resize, op.log, op.ended];
  for (const [i, each] of descriptors.entries()) view.setInt32(i * 4, each === -1 ? -1 : numberOf(each.fd), true);
  view.setUint32(field.maxFiles, maxLogFiles, true);
  view.setBigUint64(field.maxBytes, BigInt(maxLogBytes), true);
  return beat === undefined ? { bytes } : { bytes, pointers: writeBeat(view, beat) };
}

function writeBeat(view: DataView, beat: Heartbeat): NonNullable<Data["pointers"]> {
  const { intervalMs, startIntervalMs, startPeriodMs } = beat;
  for (const interval of [intervalMs, startIntervalMs])
    if (!isWithin(interval, 1, longest)) throw new RangeError(`an interval of ${interval} ms`);
  if (!isWithin(startPeriodMs, 0, longest)) throw new RangeError(`a start period of ${startPeriodMs} ms`);
  view.setBigUint64(field.interval, BigInt(intervalMs), true);
  view.setBigUint64(field.startInterval, BigInt(startIntervalMs), true);
  view.setBigUint64(field.startPeriod, BigInt(startPeriodMs), true);
  return [
    { offset: field.path, to: text(beat.path) },
    { offset: field.argv, to: vector(beat.args) },
    { offset: field.envp, to: vector(beat.env) },
  ];
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function text(value: string): Data {
  if (value.includes("\0")) throw new RangeError(`a text with a NUL byte: ${JSON.stringify(value)}`);
  return { bytes: new TextEncoder().encode(`${value}\0`) };
}

function vector(items: readonly string[]): Data {
  const pointers = items.map((item, i) => ({ offset: i * 8, to: text(item) }));
  return { bytes: new Uint8Array((items.length + 1) * 8), pointers };
}
