/**
 * What `scripts/build` compiles: main.ts, with each warm path (`cli/warm.ts` and its kin) in one module.
 *
 * `bun build --splitting` makes a chunk of whatever the same set of commands shares, and the chunks of a path become more with
 * every command: 72 for `run` beside 35 commands, of which each costs 20 to 40 µs of a start. So a warm path is bundled before,
 * with all that it imports statically; what it imports later stays an import of the source, and is split as before. The price:
 * modules stand in the file several times, and classes too (see `DevboxError`).
 *
 *     bun scripts/prepare-entry.ts DIRECTORY
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const [directory = ""] = Bun.argv.slice(2);
const source = resolve(import.meta.dir, "../src");

const leaveLaterImports: Bun.BunPlugin = {
  name: "leave later imports",
  setup(build) {
    build.onResolve({ filter: /^\.\.?\// }, ({ kind, path, importer }) =>
      kind === "dynamic-import" ? { path: fromDirectory(resolve(dirname(importer), path)), external: true } : undefined,
    );
  },
};

function fromDirectory(file: string): string {
  return relative(directory, file).replace(/^(?!\.)/, "./");
}

async function bundle(entry: string): Promise<string> {
  const name = `${relative(source, entry).replaceAll("/", "-").slice(0, -".ts".length)}.js`;
  const plugins = [leaveLaterImports];
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "bun", format: "esm", plugins });
  writeFileSync(join(directory, name), (await outputs[0]?.text()) ?? "");
  return `./${name}`;
}

let text = readFileSync(join(source, "main.ts"), "utf8");
for (const [, path = ""] of [...text.matchAll(/"(\.\/[^"]+\.ts)"/g)]) {
  const file = join(source, path);
  const place = /\/warm[\w-]*\.ts$/.test(path) ? await bundle(file) : fromDirectory(file);
  text = text.replaceAll(`"${path}"`, `"${place}"`);
}
writeFileSync(join(directory, "main.ts"), text);
