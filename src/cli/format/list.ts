/**
 * `--format` of commands that list (docker/cli, cli/command/formatter): `json`, `table`, `table TEMPLATE`, or a TEMPLATE
 * for each row.
 */
import { evaluate } from "./evaluate.ts";
import { parseTemplate } from "./parse.ts";
import { type Fields, printed, toJson, type Value } from "./value.ts";

/** A field of a row: what a template prints, and what stands above it in a table. */
export interface ListField<Row> {
  readonly title: string;
  readonly value: (row: Row) => Value;
}

export type ListFields<Row> = Readonly<Record<string, ListField<Row>>>;

export interface ListShape<Row> {
  readonly fields: ListFields<Row>;
  /** The template of the table that is printed without `--format`. */
  readonly table: string;
}

/**
 * Rows as text, every line ended.
 * @param format as the user gave it; undefined: the table
 * @throws DevboxError USAGE that names the column
 */
export function renderList<Row>(shape: ListShape<Row>, format: string | undefined, rows: readonly Row[]): string {
  const wanted = (format ?? "table").trim();
  if (wanted === "json") return rows.map((row) => `${rowJson(shape.fields, row)}\n`).join("");
  const table = /^table(?:\s+|$)/.exec(wanted);
  if (table === null) return renderRows(shape, withEscapes(wanted), rows);
  const own = withEscapes(wanted.slice(table[0].length));
  return renderTable(shape, own === "" ? shape.table : own, rows);
}

/** Shells hand `\t` over as two characters; docker reads them so. */
function withEscapes(format: string): string {
  return format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}

/** One value, for `inspect`: a line. @throws DevboxError USAGE that names the column */
export function renderValue(format: string, value: Value): string {
  const template = withEscapes(format);
  if (template.trim() === "json") return `${toJson(value)}\n`;
  return `${evaluate(template, parseTemplate(template), value)}\n`;
}

function renderRows<Row>({ fields }: ListShape<Row>, template: string, rows: readonly Row[]): string {
  const parsed = parseTemplate(template);
  return rows.map((row) => `${evaluate(template, parsed, fieldsOf(fields, row))}\n`).join("");
}

function renderTable<Row>({ fields }: ListShape<Row>, template: string, rows: readonly Row[]): string {
  const parsed = parseTemplate(template);
  const heading = evaluate(template, parsed, titlesOf(fields));
  return alignColumns([heading, ...rows.map((row) => evaluate(template, parsed, fieldsOf(fields, row)))]);
}

/** Evaluated when a template asks: sizes of boxes cost a walk through their files. */
function fieldsOf<Row>(fields: ListFields<Row>, row: Row): Fields {
  const values: Record<string, Value> = {};
  for (const [name, { value }] of Object.entries(fields)) {
    Object.defineProperty(values, name, { enumerable: true, get: () => value(row) });
  }
  return values;
}

/** The title of a field that takes an argument is the end of that: `{{.Label "org.example.stage"}}` → `stage`. */
function titlesOf<Row>(fields: ListFields<Row>): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { title }]) => [name, title === "" ? lastPart : title] as const),
  );
}

function lastPart(key: Value): Value {
  return printed(key).split(".").at(-1);
}

function rowJson<Row>(fields: ListFields<Row>, row: Row): string {
  const values = Object.entries(fieldsOf(fields, row)).filter(([, value]) => typeof value !== "function");
  return toJson(Object.fromEntries(values.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** docker's tabwriter: columns of at least 10 characters, three spaces between them. */
const leastWidth = 10;
const gap = 3;

function alignColumns(lines: readonly string[]): string {
  const table = lines.map((line) => line.split("\t").map(clean));
  const widths: number[] = [];
  for (const cells of table) {
    for (const [index, cell] of cells.slice(0, -1).entries())
      widths[index] = Math.max(widths[index] ?? leastWidth, Bun.stringWidth(cell) + gap);
  }
  return table
    .map(
      (cells) =>
        `${cells
          .map((cell, index) => pad(cell, cells, index, widths))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

function pad(cell: string, cells: readonly string[], index: number, widths: readonly number[]): string {
  if (index === cells.length - 1) return cell;
  return cell + " ".repeat(Math.max(0, (widths[index] ?? 0) - Bun.stringWidth(cell)));
}

/** What a name or a label may hold must not drive the terminal, nor break a line in two. */
function clean(cell: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are meant
  return cell.replaceAll(/[\x00-\x1f\x7f]+/g, " ");
}
