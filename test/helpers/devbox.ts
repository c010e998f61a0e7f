/** Runs the compiled devbox in a home of its own. */
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { devboxBinary } from "./given.ts";
import { endPodmanPause } from "./podman-pause.ts";

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + n where a signal ended devbox itself. */
  readonly exitCode: number;
}

export interface RunSettings {
  /** Added to the home's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What the program reads; default: nothing. */
  readonly stdin?: string;
  /** Words before devbox: a wrapper such as `unshare`. */
  readonly prefix?: readonly string[];
}

export interface Home extends AsyncDisposable {
  /** $HOME; volumes for tests may lie in it. */
  readonly directory: string;
  /** Where devbox keeps everything, as its rules say for this home. */
  readonly store: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs to the end. */
  run(args: readonly string[], settings?: RunSettings): Promise<Result>;
  /** Runs to the end; anything but exit status 0 is an error that shows what was said. Returns stdout. */
  ok(args: readonly string[], settings?: RunSettings): Promise<string>;
  /** Starts and returns at once. */
  start(args: readonly string[], settings?: RunSettings): Running;
}

export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Resolves as soon as what was printed on stdout so far fits. */
  output(pattern: RegExp): Promise<RegExpMatchArray>;
  write(text: string): void;
  kill(signal: NodeJS.Signals): void;
  readonly result: Promise<Result>;
}

/** Far above what any command needs: it ends a test that hangs with a message, it does not measure. */
const hangMs = 50_000;

/** A fresh $HOME with XDG directories; at disposal everything in it goes, also files of mapped ids. */
export function openHome(): Home {
  const directory = mkdtempSync(join(tmpdir(), "home-"));
  const runtime = join(directory, "run");
  mkdirSync(runtime, { mode: 0o700 });
  const store = join(directory, ".local/share/devbox");
  const env = { ...baseEnvironment(), HOME: directory, XDG_RUNTIME_DIR: runtime, TMPDIR: directory };
  const start = (args: readonly string[], settings: RunSettings = {}): Running =>
    startProcess([...(settings.prefix ?? []), devboxBinary(), ...args], {
      env: cleanEnvironment({ ...env, ...settings.env }),
      cwd: settings.cwd ?? directory,
      stdin: settings.stdin,
    });
  const run = async (args: readonly string[], settings: RunSettings = {}): Promise<Result> =>
    start(args, { stdin: "", ...settings }).result;
  return {
    directory,
    store,
    env,
    start,
    run,
    async ok(args, settings) {
      const result = await run(args, settings);
      if (result.exitCode === 0) return result.stdout;
      throw new Error(`devbox ${args.join(" ")}: exit status ${result.exitCode}\n${result.stderr}${result.stdout}`);
    },
    async [Symbol.asyncDispose]() {
      endPodmanPause(runtime);
      const alive = livingBoxes(store);
      // One that a test has left running would run for ever.
      if (alive.length > 0) await run(["rm", "--force", ...alive]);
      await $`${[...inUserNamespace(), "/bin/rm", "-rf", directory]}`.quiet();
    },
  };
}

function livingBoxes(store: string): readonly string[] {
  try {
    return readdirSync(join(store, "boxes/.live"));
  } catch {
    return []; // no box was ever made
  }
}

/** Words before a command that run it as root of a user namespace with the default id map (unshare(1)). */
export function inUserNamespace(): readonly string[] {
  return process.getuid?.() === 0 ? [] : ["unshare", "--user", "--map-root-user", "--map-auto", "--"];
}

function baseEnvironment(): Record<string, string> {
  const kept = ["PATH", "USER", "LANG", "TERM"].map((name) => [name, process.env[name] ?? ""]);
  return Object.fromEntries(kept);
}

function cleanEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

interface ProcessSettings {
  readonly env: Record<string, string>;
  readonly cwd: string;
  /** undefined: a pipe that `write` fills. */
  readonly stdin: string | undefined;
}

function startProcess(command: readonly string[], settings: ProcessSettings): Running {
  const { env, cwd, stdin } = settings;
  const child = Bun.spawn([...command], {
    env,
    cwd,
    stdin: stdin === undefined ? "pipe" : new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const hang = setTimeout(() => child.kill("SIGKILL"), hangMs);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const result = (async () => {
    await Promise.all([child.exited, stdout.ended, stderr.ended]);
    clearTimeout(hang);
    const exitCode = child.signalCode === null ? (child.exitCode ?? -1) : 128 + signalNumber(child.signalCode);
    return { stdout: stdout.text(), stderr: stderr.text(), exitCode };
  })();
  return {
    pid: child.pid,
    output: stdout.until,
    write(text) {
      if (child.stdin === undefined || typeof child.stdin === "number") throw new Error("stdin was given whole");
      child.stdin.write(text);
      child.stdin.flush();
    },
    kill: (signal) => child.kill(signal),
    result,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await result;
    },
  };
}

interface Collected {
  text(): string;
  readonly ended: Promise<void>;
  until(pattern: RegExp): Promise<RegExpMatchArray>;
}

/** Reads a stream to its end; `until` waits for what comes, not for time. */
export function collect(stream: AsyncIterable<Uint8Array>): Collected {
  const decoder = new TextDecoder();
  let text = "";
  let finished = false;
  let arrived = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      arrived.resolve();
      arrived = Promise.withResolvers();
    }
    finished = true;
    arrived.resolve();
  })();
  return {
    text: () => text,
    ended,
    async until(pattern) {
      for (;;) {
        const match = text.match(pattern);
        if (match !== null) return match;
        if (finished) throw new Error(`the output ended without ${pattern}:\n${text}`);
        await arrived.promise;
      }
    },
  };
}

function signalNumber(signal: NodeJS.Signals | number): number {
  return typeof signal === "number" ? signal : constants.signals[signal];
}
