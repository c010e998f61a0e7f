/** Plain columns, as runc prints them: programs cut them at runs of spaces. */

/** Lines of cells, padded to their columns' widths. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) => row.map((cell, at) => cell.padEnd(at === row.length - 1 ? 0 : (widths[at] ?? 0))).join("   "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}
