/** scripts/check: runs every check side by side and prints what each found. */
import { $, Glob } from "bun";
import { checkDirections } from "./checks/directions.ts";
import { checkSizes, checkWhoPrints } from "./checks/house-rules.ts";
import { readSources } from "./checks/sources.ts";

interface Check {
  readonly name: string;
  /** Findings, a line each; none: passed. */
  readonly run: () => Promise<readonly string[]>;
}

/** A program that exits 0 when it has nothing to say. */
function program(name: string, command: readonly string[]): Check {
  return {
    name,
    async run() {
      const { exitCode, stdout, stderr } = await $`${command}`
        .env({ ...process.env, NO_COLOR: "1" })
        .nothrow()
        .quiet();
      if (exitCode === 0) return [];
      const said = `${stdout}${stderr}`.trimEnd();
      return [said === "" ? `exit status ${exitCode}` : said];
    },
  };
}

/** Scripts without a suffix that start with a shell's name. */
async function shellScripts(): Promise<readonly string[]> {
  const candidates = [...new Glob("{scripts,.ci}/**").scanSync({ cwd: ".", dot: true })];
  const texts = await Promise.all(candidates.map((path) => Bun.file(path).text()));
  return candidates.filter((_, index) => /^#!.*\b(?:ba)?sh\n/.test(texts[index] ?? "")).sort();
}

const programSources = await readSources(["src", "ffi"]);
const allSources = await readSources(["src", "ffi", "scripts", "test"]);
const bin = "node_modules/.bin";

const checks: readonly Check[] = [
  program("format and lint", [
    `${bin}/biome`,
    "ci",
    "--colors=off",
    "--config-path=scripts/config",
    "src",
    "ffi",
    "scripts",
    "test",
  ]),
  program("types", [`${bin}/tsc`, "--noEmit", "-p", "."]),
  program("dead code", [`${bin}/knip`, "--config", "scripts/config/knip.json", "--no-progress"]),
  program("shell scripts", ["shellcheck", ...(await shellScripts())]),
  { name: "import directions", run: async () => checkDirections(programSources) },
  { name: "sizes", run: async () => checkSizes(allSources) },
  { name: "who prints", run: async () => checkWhoPrints(allSources) },
];

const findings = await Promise.all(checks.map((check) => check.run()));
checks.forEach((check, index) => {
  const found = findings[index] ?? [];
  console.log(`${found.length === 0 ? "ok  " : "FAIL"} ${check.name}`);
  for (const line of found) console.log(line.replace(/^/gm, "     "));
});
process.exitCode = findings.every((found) => found.length === 0) ? 0 : 1;
