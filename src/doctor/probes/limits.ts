/** Limits that file watchers of dev tools run into (inotify(7)): they count for a user, over all boxes. */
import { type Finding, type Probe, readNumber } from "../finding.ts";

/** What one editor with a few language servers and bundlers wants. */
const wanted = [
  { sysctl: "fs.inotify.max_user_watches", least: 65_536, set: 524_288 },
  { sysctl: "fs.inotify.max_user_instances", least: 128, set: 1024 },
] as const;

export const probeLimits: Probe = async (input) => {
  const found = wanted.map((limit) => ({
    ...limit,
    value: readNumber(input, `/proc/sys/${limit.sysctl.replaceAll(".", "/")}`),
  }));
  return [judgeLimits(found)];
};

interface FoundLimit {
  readonly sysctl: string;
  readonly least: number;
  readonly set: number;
  readonly value: number | undefined;
}

export function judgeLimits(found: readonly FoundLimit[]): Finding {
  const name = "file watches";
  const detail = found.map(({ sysctl, value }) => `${sysctl.replace(/.*\./, "")} ${value ?? "unknown"}`).join(", ");
  const low = found.filter(({ value, least }) => value !== undefined && value < least);
  if (low.length === 0) return { name, status: "ok", detail };
  const settings = low.map(({ sysctl, set }) => `${sysctl}=${set}`).join(" ");
  return { name, status: "warn", detail: `${detail}: low for dev tools`, fix: `sudo sysctl -w ${settings}` };
}
