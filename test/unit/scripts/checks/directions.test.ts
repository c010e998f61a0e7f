import { expect, test } from "bun:test";
import { checkDirections } from "../../../../scripts/checks/directions.ts";
import { checkSizes, checkWhoPrints } from "../../../../scripts/checks/house-rules.ts";
import { importsOf, type Source } from "../../../../scripts/checks/sources.ts";

const source = (path: string, text: string): Source => ({ path, text, imports: importsOf(text) });

test("imports of all forms are found, and which are of types only", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import { type C, type D } from "./c.ts";',
    'import { type E, f } from "./e.ts";',
    'import {\n  g,\n  h,\n} from "./g.ts";',
    'export { i } from "./i.ts";',
    'export type { J } from "./j.ts";',
    'import "./side-effect.ts";',
    'const k = await import("./k.ts");',
    'type L = typeof import("./l.ts");',
    '// import { no } from "./comment.ts"',
  ].join("\n");
  expect(importsOf(text).map(({ specifier, typeOnly }) => [specifier, typeOnly])).toEqual([
    ["./a.ts", false],
    ["./b.ts", true],
    ["./c.ts", true],
    ["./e.ts", false],
    ["./g.ts", false],
    ["./i.ts", false],
    ["./j.ts", true],
    ["./side-effect.ts", false],
    ["./k.ts", false],
    ["./l.ts", true],
  ]);
});

test("an import upwards is named with its place", () => {
  expect(checkDirections([source("src/oci/digest.ts", '\nimport { x } from "../store/open.ts";')])).toEqual([
    "src/oci/digest.ts:2: oci may not import ../store/open.ts",
  ]);
});

test("where types are allowed, only types are", () => {
  const types = source("src/store/types.ts", 'import type { A } from "../layer/protocol.ts";');
  const values = source("src/store/open.ts", 'import { a } from "../layer/protocol.ts";');
  expect(checkDirections([types])).toEqual([]);
  expect(checkDirections([values])).toEqual([
    "src/store/open.ts:1: store may not import ../layer/protocol.ts (only its types)",
  ]);
});

test("core knows of ffi the errors only", () => {
  expect(checkDirections([source("src/core/errors.ts", 'import { e } from "../../ffi/errno.ts";')])).toEqual([]);
  expect(checkDirections([source("src/core/errors.ts", 'import { e } from "../../ffi/libc.ts";')])).toHaveLength(1);
});

test("a package is known to one file of its folder", () => {
  const one = source("src/registry/http/http-client.ts", 'import { Agent } from "undici-http";');
  const other = source("src/registry/other.ts", 'const { Agent } = await import("undici-http");');
  expect(checkDirections([one])).toEqual([]);
  expect(checkDirections([one, other])).toHaveLength(1);
  expect(checkDirections([source("src/image/pull/pull.ts", 'import { Agent } from "undici-http";')])).toHaveLength(1);
  expect(checkDirections([source("src/image/pull/pull.ts", 'import x from "left-pad";')])).toHaveLength(1);
});

test("no sources at all is a failure, not a success", () => {
  expect(checkDirections([])).toHaveLength(1);
});

test("a long file and a print below cli are found", () => {
  expect(checkSizes([source("src/oci/long.ts", "\n".repeat(401))])).toEqual([
    "src/oci/long.ts: 401 lines, more than 400",
  ]);
  expect(checkSizes([source("src/oci/fits.ts", "\n".repeat(400))])).toEqual([]);
  expect(checkWhoPrints([source("src/oci/prints.ts", '\nconsole.log("x");')])).toHaveLength(1);
  expect(checkWhoPrints([source("src/cli/prints.ts", 'console.log("x");')])).toEqual([]);
});
