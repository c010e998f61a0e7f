/** scripts/test: checks, builds, prepares images and a registry, runs the suites, and sums up in one line. */
import { copyFileSync, cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { $ } from "bun";
import { imageCache } from "../test/helpers/images/cache.ts";
import {
  caller,
  freshEnvironment,
  mountExt4,
  openTun,
  ordinaryUser,
  type Person,
  temporaryDirectory,
  type WorkDirectory,
  workDirectory,
} from "../test/helpers/machine.ts";
import { startRegistry } from "../test/helpers/registry.ts";
import { kernelCache } from "../test/vm/kernel.ts";
import { addCounts, type Counts, readJunit } from "./junit.ts";

const project = resolve(import.meta.dir, "..");
const suites = ["unit", "kernel", "e2e"] as const;
type Suite = (typeof suites)[number];

/** What root runs again of the suites that the ordinary user has run: where being root changes what happens. */
const alsoAsRoot: Readonly<Record<Suite, readonly string[] | undefined>> = {
  unit: undefined,
  kernel: ["test/kernel/"],
  e2e: [
    "test/e2e/run-",
    "test/e2e/box-",
    "test/e2e/oci-",
    "test/e2e/network",
    "test/e2e/pull",
    "test/e2e/image-spec",
    "test/e2e/import",
    "test/e2e/cp",
    "test/e2e/volumes",
    "test/e2e/bundle",
    "test/e2e/commit",
    "test/e2e/diff",
    "test/e2e/export",
  ],
};

/** Ctrl-C ends the suite under way; what was mounted and made is then taken away on the way out. */
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)));

interface Laboratory {
  readonly directory: WorkDirectory;
  readonly user: Person;
  /** The project as the ordinary user may read it. */
  readonly sources: string;
  readonly given: Readonly<Record<string, string>>;
}

/** Runs one program for its exit status: counts as one test. */
async function step(name: string, command: readonly string[]): Promise<Counts> {
  console.log(`\n== ${name}`);
  const { exitCode } = Bun.spawnSync([...command], { cwd: project, stdout: "inherit", stderr: "inherit" });
  return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** One suite as one person. */
async function runSuite(lab: Laboratory, suite: Suite, person: Person, paths: readonly string[]): Promise<Counts> {
  console.log(`\n== ${suite} tests as ${person.name}`);
  const report = join(await lab.directory.own(`report-${suite}-${person.name}`, person), "junit.xml");
  const env = { ...(await freshEnvironment(lab.directory, person)), ...lab.given };
  const bun = join(lab.sources, "node_modules/.bin/bun");
  const options = ["--timeout=60000", "--only-failures", "--reporter=junit", `--reporter-outfile=${report}`];
  const command = [...person.prefix, bun, "test", ...options, ...paths];
  const { signal } = stop;
  const stdio: ["ignore", "inherit", "inherit"] = ["ignore", "inherit", "inherit"];
  const child = Bun.spawn(command, { cwd: lab.sources, env, stdio, signal });
  const status = await child.exited;
  signal.throwIfAborted();
  return readJunit(report, status);
}

/** The project itself where the user can read it; else (a checkout below /root) a copy. */
async function readableSources(directory: WorkDirectory, user: Person): Promise<string> {
  const probe = [
    ...user.prefix,
    "test",
    "-r",
    join(project, "package.json"),
    "-a",
    "-x",
    join(project, "node_modules"),
  ];
  if ((await $`${probe}`.nothrow().quiet()).exitCode === 0) return project;
  const copy = join(directory.path, "project");
  for (const name of [
    "src",
    "ffi",
    "scripts",
    "test",
    "dist",
    "node_modules",
    "package.json",
    "bunfig.toml",
    "tsconfig.json",
  ]) {
    cpSync(join(project, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  }
  await $`chmod -R a+rX ${copy}`.quiet();
  return copy;
}

async function prepare(
  directory: WorkDirectory,
  wanted: readonly Suite[],
  stack: AsyncDisposableStack,
): Promise<Laboratory> {
  const user = await ordinaryUser();
  const sources = await readableSources(directory, user);
  if (!wanted.includes("e2e")) return { directory, user, sources, given: {} };
  await openTun();
  const binary = join(directory.path, "devbox");
  copyFileSync(join(project, "dist/devbox"), binary);
  const cache = await imageCache();
  const registry = stack.use(
    await startRegistry({
      directory: join(directory.path, "registry"),
      storage: join(cache, "registry"),
      readonly: true,
    }),
  );
  const kernel = await kernelCache();
  const small = await mountExt4(directory, "small", "64M", user);
  const given = {
    DEVBOX_TEST_BINARY: binary,
    DEVBOX_TEST_REGISTRY: registry.address,
    DEVBOX_TEST_LAYOUTS: join(cache, "layouts"),
    ...(process.env["DEVBOX_TEST_CYCLES"] === undefined
      ? {}
      : { DEVBOX_TEST_CYCLES: process.env["DEVBOX_TEST_CYCLES"] }),
    ...(kernel === undefined ? {} : { DEVBOX_TEST_KERNEL: kernel }),
    ...(small === undefined ? {} : { DEVBOX_TEST_SMALL_FS: small }),
  };
  return { directory, user, sources, given };
}

async function runSuites(wanted: readonly Suite[], filter: string | undefined): Promise<readonly Counts[]> {
  await using stack = new AsyncDisposableStack();
  const base = stack.use(temporaryDirectory("devbox"));
  // Tests write hundreds of thousands of files: a disk of their own takes them faster, and gives them back at once.
  const disk = await mountExt4(base, "d", "16G", caller());
  const directory = disk === undefined ? base : workDirectory(disk);
  const lab = await prepare(directory, wanted, stack);
  const counts: Counts[] = [];
  for (const suite of wanted) {
    const all = [`test/${suite}/${filter ?? ""}`];
    counts.push(await runSuite(lab, suite, lab.user, all));
    const again = filter === undefined ? alsoAsRoot[suite] : undefined;
    if (caller().uid === 0 && again !== undefined) counts.push(await runSuite(lab, suite, caller(), again));
  }
  return counts;
}

function isSuite(word: string): word is Suite {
  return (suites as readonly string[]).includes(word);
}

const [word, filter] = Bun.argv.slice(2);
if (word !== undefined && !isSuite(word)) {
  console.error(`usage: scripts/test [${suites.join("|")} [filter]]`);
  process.exit(2);
}
const counts: Counts[] = [];
if (word === undefined) counts.push(await step("check", ["scripts/check"]));
const built = await step("build", word === "unit" ? ["scripts/build-launcher"] : ["scripts/build"]);
counts.push(built);
const wanted = word === undefined ? suites : [word];
counts.push(...(await runSuites(built.failed === 1 ? wanted.filter((suite) => suite === "unit") : wanted, filter)));
const { passed, failed, skipped } = addCounts(counts);
console.log(`\n${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
