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

const printing =
  /(?<![.\w])console\.(?:log|error|warn|info|debug|write)\b|\bprocess\.(?:stdout|stderr)\.write\b|\bBun\.(?:stdout|stderr)\b/;

/** main.ts answers --version itself, since loading cli for it would cost more than the whole start. */
const printers = /^src\/(?:cli\/|main\.ts$)/;

/** Only cli writes to the terminal; below it there is the Context. */
export function checkWhoPrints(sources: readonly Source[]): readonly string[] {
  return sources
    .filter(({ path }) => /^(?:src|ffi)\//.test(path) && !printers.test(path))
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
