/** The sources as the checks see them: files, and what each imports. */
import { Glob } from "bun";

export interface Import {
  /** As written: `../core/errors.ts`, `node:fs`, `tar`. */
  readonly specifier: string;
  /** Nothing is left of it at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Source {
  /** Relative to the project, `src/core/errors.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const staticImport = /^(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s+from\s+)?"([^"]+)"/gm;
const dynamicImport = /\bimport\(\s*(?:\/\*.*?\*\/\s*)?"([^"]+)"/g;

/** All TypeScript files of the given folders. */
export async function readSources(folders: readonly string[]): Promise<readonly Source[]> {
  const paths = [...new Glob(`{${folders.join(",")}}/**/*.ts`).scanSync(".")].sort();
  return Promise.all(
    paths.map(async (path) => {
      const text = await Bun.file(path).text();
      return { path, text, imports: importsOf(text) };
    }),
  );
}

/** Reads imports by their form, which the formatter fixes: one statement starts a line, names are in double quotes. */
export function importsOf(text: string): readonly Import[] {
  const lineAt = (index: number): number => text.slice(0, index).split("\n").length;
  const found: Import[] = [];
  for (const match of text.matchAll(staticImport)) {
    const [, type, names, specifier = ""] = match;
    found.push({ specifier, typeOnly: type !== undefined || onlyTypes(names), line: lineAt(match.index) });
  }
  for (const match of text.matchAll(dynamicImport)) {
    const typeOnly = /(?:typeof\s+|:\s*)$/.test(text.slice(Math.max(0, match.index - 12), match.index));
    found.push({ specifier: match[1] ?? "", typeOnly, line: lineAt(match.index) });
  }
  return found;
}

/** `{ type A, type B }`: every name is a type. */
function onlyTypes(names: string | undefined): boolean {
  const list = names?.match(/^\{(.*)\}$/s)?.[1];
  if (list === undefined) return false;
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "")
    .every((name) => name.startsWith("type "));
}
