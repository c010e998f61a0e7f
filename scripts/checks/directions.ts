/** Imports go down only, and heavy packages are known to one place: the rules of config/directions.ts. */
import { dirname, join } from "node:path";
import { directions, filesPerPackage, packages, spreadPackages } from "../config/directions.ts";
import type { Import, Source } from "./sources.ts";

/** Each finding is one line, `file:line: what is wrong`. */
export function checkDirections(sources: readonly Source[]): readonly string[] {
  if (sources.length === 0) return ["no source file was found: the check itself is broken"];
  return [
    ...sources.flatMap((source) => source.imports.flatMap((each) => checkImport(source, each))),
    ...checkPackageSpread(sources),
  ];
}

function checkImport(source: Source, each: Import): readonly string[] {
  const at = `${source.path}:${each.line}`;
  if (/^(?:node|bun)(?::|$)/.test(each.specifier)) return [];
  if (!each.specifier.startsWith(".")) return checkPackage(source, each, at);
  const target = join(dirname(source.path), each.specifier);
  const from = folderOf(source.path);
  const to = folderOf(target);
  if (to === undefined || (to === from && from !== undefined)) return [];
  const allowed = directions[from ?? ""];
  if (allowed === undefined) return [`${at}: ${source.path} is in no folder of the table of directions`];
  const below = target.replace(/^src\//, "");
  const fits = (rule: string): boolean => below === rule || below.startsWith(`${rule}/`);
  const free = allowed.filter((rule) => !rule.startsWith("types:")).some(fits);
  const types = allowed.filter((rule) => rule.startsWith("types:")).some((rule) => fits(rule.slice("types:".length)));
  if (free || (types && each.typeOnly)) return [];
  return [`${at}: ${from} may not import ${each.specifier}${types ? " (only its types)" : ""}`];
}

function checkPackage(source: Source, each: Import, at: string): readonly string[] {
  const name = each.specifier.match(/^(?:@[^/]+\/)?[^/]+/)?.[0] ?? each.specifier;
  const homes = packages[name];
  if (homes === undefined) return [`${at}: the package ${name} is not in the table of packages`];
  if (homes.some((home) => source.path.startsWith(`src/${home}/`))) return [];
  return [`${at}: the package ${name} may only be imported in ${homes.join(", ")}`];
}

function checkPackageSpread(sources: readonly Source[]): readonly string[] {
  return Object.keys(packages).flatMap((name) => {
    const users = sources.filter((source) =>
      source.imports.some(
        (each) => !each.typeOnly && (each.specifier === name || each.specifier.startsWith(`${name}/`)),
      ),
    );
    if (spreadPackages.has(name) || users.length <= filesPerPackage) return [];
    return [
      `the package ${name} is imported by ${users.map(({ path }) => path).join(" and ")}: one file is to know it`,
    ];
  });
}

/** `core` for src/core/errors.ts, `ffi` for ffi/errno.ts, `main.ts` for src/main.ts; undefined outside both (build output, package.json). */
function folderOf(path: string): string | undefined {
  if (path.startsWith("ffi/")) return "ffi";
  return path.match(/^src\/([^/]+)/)?.[1];
}
