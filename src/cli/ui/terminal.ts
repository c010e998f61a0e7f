/** What the terminal can. */
import { fstatSync } from "node:fs";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * isatty(3) by the device number: pseudo-terminals have majors 136 to 143, consoles and serial lines 4, /dev/tty and
 * /dev/console 5 (Documentation/admin-guide/devices.txt). `process.stdin.isTTY` would cost 7 ms of the start and
 * node:tty 2 ms (measured); only a character device of another driver is worth that.
 */
export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice()) return false;
    const major = (stat.rdev >> 8) & 0xfff; // makedev(3), the low 12 bits of the major
    if (major === 1) return false; // /dev/null and its like
    if (major === 4 || major === 5 || (major >= 136 && major <= 143)) return true;
    return (require("node:tty") as typeof import("node:tty")).isatty(fd);
  } catch {
    return false; // closed
  }
}

/** Colours on stderr: on a terminal that can, unless NO_COLOR (https://no-color.org) says otherwise. */
export function wantsColour(fd: 1 | 2, env: Environment): boolean {
  const { NO_COLOR, TERM } = env;
  return (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb" && isTerminal(fd);
}

/** Columns and rows of the terminal on stderr; 80 by 24 where it does not say. */
export function terminalSize(): { readonly columns: number; readonly rows: number } {
  const { columns, rows } = process.stderr;
  return { columns: columns || 80, rows: rows || 24 };
}

/**
 * How long the lines of a help are: 100 characters, less where the terminal has fewer columns. What is no terminal gets the
 * same always.
 */
export function helpWidth(): number {
  const longest = 100;
  return isTerminal(1) ? Math.min(longest, Math.max(process.stdout.columns || longest, 60)) : longest;
}

export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/**
 * Control characters but tabs and ends of lines, shown as `\x1b`: names in archives, layers and answers of registries may hold
 * what sets titles, moves the cursor, or worse.
 */
export function visible(text: string): string {
  return text.replaceAll(controls, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** ECMA-48: C0, DEL and C1. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** SGR sequences (ECMA-48), or functions that leave the text alone. */
export function makeStyle(colour: boolean): Style {
  const paint = (on: number, off: number) => (text: string) => (colour ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    yellow: paint(33, 39),
    green: paint(32, 39),
    cyan: paint(36, 39),
  };
}
