/** The HEALTHCHECK instruction (docs.docker.com, Dockerfile reference). */
import { parseDuration } from "../../core/duration.ts";
import type { ImageHealthcheck } from "../../oci/image.ts";

const durations: Readonly<Record<string, "Interval" | "Timeout" | "StartPeriod" | "StartInterval">> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/**
 * `[--interval=TIME …] CMD COMMAND`, or `NONE`.
 * @param readExec a command in the form of a JSON list; undefined: it is a line for the shell
 * @throws Error in words
 */
export function readHealthcheck(
  rest: string,
  readExec: (text: string) => readonly string[] | undefined,
): ImageHealthcheck {
  const [options = "", kind = "", command = ""] =
    /^((?:--\S+\s+)*)(\S+)\s*(.*)$/s
      .exec(rest)
      ?.slice(1)
      .map((part) => part.trim()) ?? [];
  const name = kind.toUpperCase();
  if (name === "NONE" && command === "" && options === "") return { Test: ["NONE"] };
  if (name !== "CMD" || command === "") throw new Error("it is neither NONE nor CMD with a command");
  const list = readExec(command);
  const test = list === undefined ? ["CMD-SHELL", command] : ["CMD", ...list];
  return Object.assign({ Test: test }, ...options.split(/\s+/).filter(Boolean).map(readOption));
}

function readOption(text: string): ImageHealthcheck {
  const [, name = "", value = ""] = /^--([a-z-]+)=(.*)$/.exec(text) ?? [];
  if (name === "retries") {
    if (!/^\d{1,6}$/.test(value)) throw new Error(`${text} is no number`);
    return { Retries: Number(value) };
  }
  const member = Object.hasOwn(durations, name) ? durations[name] : undefined;
  if (member === undefined) throw new Error(`there is no option ${text}`);
  const milliseconds = parseDuration(value);
  // As docker: less than that it takes for a slip of the unit.
  if (milliseconds === undefined || (milliseconds !== 0 && milliseconds < 1)) throw new Error(`${text} is no time`);
  return { [member]: Math.round(milliseconds * 1e6) };
}
