/** Messages of `devbox oci`: to stderr for people, and in the file of `--log` in the shapes of runc's, for engines. */
import { appendFileSync } from "node:fs";
import { DevboxError } from "../../core/errors.ts";
import { writeError } from "../ui/output.ts";

export interface OciLog {
  /** A hint is for people: engines pass on what stands on stderr. */
  error(message: string, hint?: string): void;
  warn(message: string): void;
  /** Only with `--debug`. */
  debug(message: string): void;
}

export type LogFormat = "text" | "json";

/** crun names the kind of a log before its place: of its kinds there is this one here. @throws DevboxError USAGE */
function fileOf(place: string | undefined): string | undefined {
  const [, kind, path] = /^([a-z]+):(.*)$/s.exec(place ?? "") ?? [];
  if (kind === undefined || kind === "file") return path ?? place;
  throw new DevboxError("USAGE", { step: "option --log", because: `it takes a path or file:PATH, not ${kind}:…` });
}

export function openOciLog(place: string | undefined, format: LogFormat, isDebug: boolean): OciLog {
  const file = fileOf(place);
  const append = (level: string, msg: string): void => {
    if (file === undefined) return;
    try {
      appendFileSync(file, `${formatEntry(format, level, msg, new Date())}\n`);
    } catch {
      // stderr has it.
    }
  };
  const write = (level: string, msg: string): void => {
    writeError(`devbox-oci: ${level === "error" ? "" : `${level}: `}${msg}\n`);
    append(level, msg);
  };
  return {
    error(msg, hint) {
      write("error", msg);
      if (hint !== undefined && process.stderr.isTTY) writeError(`hint: ${hint}\n`);
    },
    warn: (msg) => write("warning", msg),
    debug(msg) {
      if (!isDebug) return;
      if (file === undefined) writeError(`${formatEntry(format, "debug", msg, new Date())}\n`);
      else append("debug", msg);
    },
  };
}

/** logrus' two formats, which podman, conmon and containerd read: `{"level","msg","time"}`, and `time= level= msg=`. */
export function formatEntry(format: LogFormat, level: string, msg: string, now: Date): string {
  const time = now.toISOString();
  if (format === "json") return JSON.stringify({ level, msg, time });
  return `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(msg)}`;
}
