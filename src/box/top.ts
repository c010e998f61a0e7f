/** `devbox top`: the processes of a box as rows of text. */
import { readFileSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { toContainerId } from "../oci/id-map.ts";
import { boxState } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { openStore } from "../store/open.ts";
import { readBoxConfig } from "./config-file.ts";
import { type BoxProcess, boxProcesses, ticksPerSecond } from "./processes.ts";
import { notRunning } from "./settled.ts";

export interface Top {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * @param options of ps(1); none: docker's columns, read here
 * @throws DevboxError BOX_NOT_FOUND, BOX_STATE; HELPER_MISSING, USAGE for options
 */
export function topOfBox(context: Context, name: string, options: readonly string[]): Top {
  const store = openStore(context.env);
  const { paths, record } = findBox(store, name);
  const state = boxState(store, record);
  if (state.pid === undefined) throw notRunning(state, "list the processes of");
  const processes = boxProcesses(state.pid);
  if (options.length > 0) return topByPs(processes, options);
  const uids = readBoxConfig(paths).linux.uidMappings ?? [];
  return {
    titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    rows: processes.map((process) => rowOf(process, toContainerId(uids, process.uid), context.now())),
  };
}

function rowOf(process: BoxProcess, uid: number | undefined, now: Date): readonly string[] {
  const started = startOf(process);
  const seconds = (process.userTicks + process.systemTicks) / ticksPerSecond;
  const lived = Math.max(1, (now.getTime() - started.getTime()) / 1000);
  return [
    uid === 0 ? "root" : String(uid ?? process.uid),
    String(process.pid),
    String(process.parent),
    String(Math.min(99, Math.floor((100 * seconds) / lived))),
    startText(started, now),
    terminalName(process.terminal),
    clockText(seconds),
    process.args.length > 0 ? process.args.join(" ") : `[${process.name}]`,
  ];
}

function startOf({ startTicks }: BoxProcess): Date {
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1] ?? 0);
  return new Date((boot + startTicks / ticksPerSecond) * 1000);
}

/** As ps(1): the time of day, or for older ones the day. */
function startText(started: Date, now: Date): string {
  if (now.getTime() - started.getTime() < 24 * 3600 * 1000) return started.toTimeString().slice(0, 5);
  return started.toDateString().slice(4, 10).replace(" ", "");
}

function clockText(seconds: number): string {
  const pad = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `${pad(seconds / 3600)}:${pad((seconds / 60) % 60)}:${pad(seconds % 60)}`;
}

/** tty_nr of proc_pid_stat(5): pseudoterminals have majors 136 to 143. */
function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : "?";
}

/** The host's ps(1), of whose lines those stay whose PID is one of the box, as docker does. */
function topByPs(processes: readonly BoxProcess[], options: readonly string[]): Top {
  const step = `list processes with ps ${options.join(" ")}`;
  const ps = Bun.which("ps");
  if (ps === null) throw new DevboxError("HELPER_MISSING", { step, because: "ps is not installed" });
  const result = Bun.spawnSync([ps, ...options], { stdin: "ignore" });
  if (result.exitCode !== 0) {
    throw new DevboxError("USAGE", { step, because: result.stderr.toString().trim().split("\n")[0] ?? "" });
  }
  const [heading = "", ...lines] = result.stdout.toString().trimEnd().split("\n");
  const titles = heading.trim().split(/\s+/);
  const column = titles.indexOf("PID");
  if (column === -1) throw new DevboxError("USAGE", { step, because: "the column PID must be among its columns" });
  const wanted = new Set(processes.map(({ pid }) => String(pid)));
  const rows = lines.map((line) => splitRow(line, titles.length)).filter((row) => wanted.has(row[column] ?? ""));
  return { titles, rows };
}

/** The last column may hold blanks. */
function splitRow(line: string, columns: number): readonly string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(" ")];
}
