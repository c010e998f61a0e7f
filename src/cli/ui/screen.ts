/** A place for lines that stay and, below them on a terminal, a block that is redrawn in place. */
import { writeError } from "./output.ts";

export interface Screen {
  /** A line that stays. Newline is added. */
  print(line: string): void;
  /** Replaces the block below all that was printed; [] takes it away. */
  show(lines: readonly string[]): void;
}

/** For pipes and files: no block. */
export function plainScreen(write: (text: string) => void = writeError): Screen {
  return { print: (line) => write(`${line}\n`), show: () => {} };
}

/**
 * For terminals. The block is erased and drawn in one write, so it does not flicker, and each of its lines is cut at the
 * terminal's width: one that wrapped would take two rows, and the way back up would be miscounted.
 */
export function terminalScreen(columns: () => number, write: (text: string) => void = writeError): Screen {
  let shown: readonly string[] = [];
  // CUU up to the block's first row, ED from there down (ECMA-48).
  const erase = (): string => (shown.length === 0 ? "" : `\x1b[${shown.length}A\r\x1b[J`);
  const drawn = (lines: readonly string[]): string => lines.map((line) => `${fit(line, columns() - 1)}\n`).join("");
  return {
    print(line) {
      write(`${erase()}${line}\n${drawn(shown)}`);
    },
    show(lines) {
      if (lines.length === 0 && shown.length === 0) return;
      write(`${erase()}${drawn(lines)}`);
      shown = lines;
    },
  };
}

/** The start of a text without colours that fits into so many columns, an ellipsis at its end when it was cut. */
function fit(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let kept = "";
  for (const character of text) {
    if (Bun.stringWidth(kept + character) > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}
