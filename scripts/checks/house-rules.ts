/** What no linter knows: sizes, and who prints. */
import { longTables } from "../config/directions.ts";
import type { Source } from "./sources.ts";

const maxLines = 400;

/** A file that does not fit in the head is split; tables are exempt by name. */
export function checkSizes(sources: readonly Source[]): readonly string[] {
  return sources
    .map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > maxLines && !longTables.has(path))
    .map(({ path, lines }) => `${path}: ${lines} lines, more than ${maxLines}`);
}

const printing = /\bconsole\.|\bprocess\.(?:stdout|stderr)\.write\b|\bBun\.(?:stdout|stderr)\b/;

/** Only cli writes to the terminal; below it there is the Context. */
export function checkWhoPrints(sources: readonly Source[]): readonly string[] {
  return sources
    .filter(({ path }) => /^(?:src|ffi)\//.test(path) && !path.startsWith("src/cli/"))
    .flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, index) =>
          printing.test(line) && !/^\s*(?:\*|\/\/|\/\*)/.test(line)
            ? [`${path}:${index + 1}: prints: ${line.trim()}`]
            : [],
        ),
    );
}
