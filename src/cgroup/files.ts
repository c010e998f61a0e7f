/** Files of control groups: small texts that are read whole and written in one write(2), as cgroups(7) asks for. */
import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { errnoName } from "../core/errors.ts";

/** Reads `directory/file` without the newline at its end; undefined if it is not there, or is the group itself no longer. */
export function readControl(directory: string, file: string): string | undefined {
  try {
    return readFileSync(`${directory}/${file}`, "utf8").trimEnd();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** ENODEV and EOPNOTSUPP: the group was removed between open and read, or is threaded and has no such list. */
function isGone(error: unknown): boolean {
  return ["ENOENT", "ENODEV", "ENOTDIR", "EOPNOTSUPP", "ENOTSUP"].includes(errnoName(error) ?? "");
}

/** Writes `text` with one write(2); the file must be there: O_CREAT on a control group gives misleading errors. */
export function writeControl(directory: string, file: string, text: string): void {
  const fd = openSync(`${directory}/${file}`, constants.O_WRONLY);
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** A number; undefined for a missing file, and for `max`. */
export function readNumber(directory: string, file: string): number | undefined {
  return parseNumber(readControl(directory, file));
}

export function parseNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Lines of `key value`: memory.stat, cgroup.events and their kin. A missing file has none. */
export function readTable(directory: string, file: string): Readonly<Record<string, number>> {
  return parseTable(readControl(directory, file) ?? "");
}

export function parseTable(text: string): Record<string, number> {
  const table: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [key, value] = line.split(" ");
    const number = parseNumber(value);
    if (key !== undefined && number !== undefined) table[key] = number;
  }
  return table;
}

/** Words of a list: cgroup.controllers, cgroup.procs. */
export function readWords(directory: string, file: string): readonly string[] {
  return (readControl(directory, file) ?? "").split(/\s+/).filter((word) => word !== "");
}

/** Groups in a group, absolute; none if it is gone. */
export function childGroups(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${directory}/${entry.name}`);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
