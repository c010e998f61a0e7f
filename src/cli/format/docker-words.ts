/** Times, sizes and states in docker's words (docker/go-units, moby container/state.go). */
import type { BoxRecord } from "../../store/types.ts";

const day = 24;

/** `3 minutes`, `About an hour`, `2 weeks`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return "About an hour";
  if (hours < 2 * day) return `${hours} hours`;
  if (hours < 14 * day) return `${Math.floor(hours / day)} days`;
  if (hours < 60 * day) return `${Math.floor(hours / day / 7)} weeks`;
  if (hours < 2 * 365 * day) return `${Math.floor(hours / day / 30)} months`;
  return `${Math.floor(seconds / 3600 / day / 365)} years`;
}

/** `3 minutes ago`; of what is no time, `unknown`. */
export function ago(time: string | undefined, now: Date): string {
  const since = Date.parse(time ?? "");
  return Number.isNaN(since) ? "unknown" : `${humanDuration(Math.max(0, now.getTime() - since))} ago`;
}

/** `2024-05-01 12:00:00 +0000 UTC`. */
export function clockTime(time: string | undefined): string {
  const date = new Date(time ?? "");
  return Number.isNaN(date.getTime()) ? "unknown" : `${date.toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;
}

const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `2.21MB`: `digits` significant ones. */
export function decimalSize(bytes: number, digits = 3): string {
  return size(bytes, 1000, decimalUnits, digits);
}

/** `1.906MiB`. */
export function binarySize(bytes: number, digits = 4): string {
  return size(bytes, 1024, binaryUnits, digits);
}

function size(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  // As Go's %.Ng: significant digits, and no zeros at the end of a fraction.
  return `${Number(value.toPrecision(digits))}${units[unit] ?? ""}`;
}

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`. */
export function statusText(record: BoxRecord, now: Date): string {
  const since = (time: string | undefined): string =>
    humanDuration(Math.max(0, now.getTime() - Date.parse(time ?? record.created)));
  const code = record.exitCode ?? 0;
  switch (record.status) {
    case "created":
      return "Created";
    case "exited":
      return `Exited (${code}) ${since(record.finishedAt)} ago`;
    case "restarting":
      return `Restarting (${code}) ${since(record.finishedAt)} ago`;
    case "paused":
      return `Up ${since(record.startedAt)} (Paused)`;
    case "running":
      return `Up ${since(record.startedAt)}${healthText(record.health)}`;
  }
}

function healthText(health: BoxRecord["health"]): string {
  if (health === undefined) return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

/** `0.0.0.0:8080->80/tcp, …`. */
export function portsText(ports: BoxRecord["ports"]): string {
  return (ports ?? [])
    .map(({ hostIp, hostPort, containerPort, protocol }) => `${hostIp}:${hostPort}->${containerPort}/${protocol}`)
    .join(", ");
}

/** At most `length` characters, the last of them an ellipsis where something is left out. */
export function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
