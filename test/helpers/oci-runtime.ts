/** `devbox oci` on bundles with a busybox in a directory of their own: the compiled program, real containers. */

import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "./busybox-box.ts";
import { type Home, openHome, type Result, type Running, type RunSettings } from "./devbox.ts";
import { devboxBinary } from "./given.ts";

/** config.json as it is written: tests change any of it, also into what no type allows. */
// biome-ignore lint/suspicious/noExplicitAny: hostile and wrong documents are made from it
export type Config = any;

export interface OciRuntime extends AsyncDisposable {
  readonly home: Home;
  /** Where the containers are known (`--root`). */
  readonly root: string;
  /** A bundle whose config.json is that of `spec`, without a terminal and with a root that can be written to, and changed. */
  bundle(args: readonly string[], change?: (config: Config, directory: string) => void): Promise<string>;
  run(args: readonly string[], settings?: RunSettings): Promise<Result>;
  ok(args: readonly string[], settings?: RunSettings): Promise<string>;
  start(args: readonly string[], settings?: RunSettings): Running;
  state(id: string): Promise<Config>;
  /** Waits until the container has the status. */
  reaches(id: string, status: string): Promise<void>;
  /** Ids that are nobody's on this machine: control groups have them as names. */
  id(): string;
}

const moreApplets = ["true", "false", "env", "hostname", "printf"];

/** Far above what any command needs. */
const hangMs = 30_000;

/**
 * Runs to the end of devbox, not of its streams: what it leaves behind has them, too. So they are files, and what stands in
 * them when it has ended counts.
 */
async function runWithFiles(home: Home, args: readonly string[], settings: RunSettings = {}): Promise<Result> {
  const file = join(home.directory, `output-${randomUUID()}`);
  const child = Bun.spawn([...(settings.prefix ?? []), devboxBinary(), ...args], {
    env: { ...home.env, ...settings.env },
    cwd: settings.cwd ?? home.directory,
    stdin: new Blob([settings.stdin ?? ""]),
    stdout: Bun.file(`${file}.out`),
    stderr: Bun.file(`${file}.err`),
    timeout: hangMs,
    killSignal: "SIGKILL",
  });
  await child.exited;
  const [stdout, stderr] = [readFileSync(`${file}.out`, "utf8"), readFileSync(`${file}.err`, "utf8")];
  return { stdout, stderr, exitCode: child.exitCode ?? -1 };
}

export async function openOciRuntime(): Promise<OciRuntime> {
  const home = openHome();
  chmodSync(home.directory, 0o755);
  const root = join(home.directory, "containers");
  const given: string[] = [];
  const words = (args: readonly string[]): readonly string[] => ["oci", "--root", root, ...args];
  const run = (args: readonly string[], settings?: RunSettings): Promise<Result> =>
    runWithFiles(home, words(args), settings);
  const runtime: OciRuntime = {
    home,
    root,
    async bundle(args, change) {
      const directory = join(home.directory, `bundle-${randomUUID().slice(0, 8)}`);
      mkdirSync(directory);
      makeBusyboxRoot(join(directory, "rootfs"));
      for (const name of moreApplets) symlinkSync("busybox", join(directory, "rootfs/bin", name));
      await home.ok(["oci", "spec", "--bundle", directory, ...(process.getuid?.() === 0 ? [] : ["--rootless"])]);
      const file = join(directory, "config.json");
      const config = JSON.parse(readFileSync(file, "utf8"));
      config.process.terminal = false;
      config.process.args = args;
      config.root.readonly = false;
      change?.(config, directory);
      writeFileSync(file, JSON.stringify(config));
      return directory;
    },
    run,
    async ok(args, settings) {
      const { exitCode, stdout, stderr } = await run(args, settings);
      if (exitCode === 0) return stdout;
      throw new Error(`devbox oci ${args.join(" ")}: exit status ${exitCode}\n${stderr}${stdout}`);
    },
    start: (args, settings) => home.start(words(args), settings),
    state: async (id) => JSON.parse(await runtime.ok(["state", id])),
    async reaches(id, status) {
      let seen: Result | undefined;
      for (let round = 0; round < 1000; round++) {
        seen = await runtime.run(["state", id]);
        if (seen.exitCode === 0 && JSON.parse(seen.stdout).status === status) return;
        await Bun.sleep(5);
      }
      throw new Error(`${id} is not ${status}: ${seen?.stdout}${seen?.stderr}`);
    },
    id() {
      const id = `devbox-test-${randomUUID().slice(0, 8)}`;
      given.push(id);
      return id;
    },
    async [Symbol.asyncDispose]() {
      for (const id of given) await runtime.run(["delete", "--force", id]);
      await home[Symbol.asyncDispose]();
    },
  };
  return runtime;
}
