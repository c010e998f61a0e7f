/** Tables of plain text: a heading, and columns as wide as their widest cell. */
import { visible } from "./terminal.ts";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly align?: "left" | "right";
}

const gap = "   ";

/**
 * The table as text, a newline after each line; no spaces at the ends of lines, so that a copy of it is clean.
 * Cells may hold SGR colours, which take no room. An empty table is its heading.
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => clean(cell(row))))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => Bun.stringWidth(line[index] ?? ""))));
  return lines
    .map((line) => {
      const cells = line.map((text, index) => pad(text, widths[index] ?? 0, columns[index]?.align ?? "left"));
      return `${cells.join(gap).trimEnd()}\n`;
    })
    .join("");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const coloursAndControls = /\x1b\[[0-9;]*m|[\0-\x1f\x7f-\x9f]/g;

/** A cell is one line: names and labels come from images, and may hold anything. */
function clean(text: string): string {
  const line = text.replaceAll(/[\r\n\t]+/g, " ");
  return line.replaceAll(coloursAndControls, (found) => (found.length > 1 ? found : visible(found)));
}

function pad(text: string, width: number, align: "left" | "right"): string {
  const spaces = " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
  return align === "right" ? spaces + text : text + spaces;
}
