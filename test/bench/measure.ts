/** Medians of commands, measured by hyperfine(1) as the ordinary user. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Laboratory } from "./laboratory.ts";

export interface Contender {
  readonly name: string;
  /** A shell command. */
  readonly command: string;
  /** Run before each measured run, not measured. */
  readonly prepare?: string;
}

/** Name → median in milliseconds. */
export type Medians = Readonly<Record<string, number>>;

/** All contenders in one go, so that they share whatever else the machine does. */
export async function measure(
  lab: Laboratory,
  contenders: readonly Contender[],
  runs: number,
  warmup = 1,
): Promise<Medians> {
  const report = join(lab.home, `hyperfine-${crypto.randomUUID()}.json`);
  const options = ["--style=none", "--warmup", String(warmup), "--runs", String(runs), "--export-json", report];
  const prepared = contenders.some(({ prepare }) => prepare !== undefined)
    ? contenders.flatMap(({ prepare }) => ["--prepare", prepare ?? "true"])
    : ["--shell=none"];
  const commands = contenders.flatMap(({ name, command }) => ["--command-name", name, command]);
  const line = [...lab.user.prefix, "hyperfine", ...options, ...prepared, ...commands];
  const child = Bun.spawn(line, { env: lab.env, cwd: lab.home, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`hyperfine: ${said}`);
  const { results } = JSON.parse(readFileSync(report, "utf8")) as {
    results: readonly { readonly command: string; readonly median: number }[];
  };
  rmSync(report);
  return Object.fromEntries(results.map(({ command, median }) => [command, median * 1000]));
}

/** A shell command as the ordinary user in the laboratory; its output, and an error where it fails. */
export async function shell(lab: Laboratory, command: string): Promise<string> {
  const line = [...lab.user.prefix, "sh", "-c", command];
  const child = Bun.spawn(line, { env: lab.env, cwd: lab.home, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${command}: ${err}`);
  return out;
}

/** Highest sum of the proportional set sizes (proc(5) smaps_rollup) of a command and all its descendants, in megabytes. */
export async function peakMemoryMb(lab: Laboratory, command: string): Promise<number> {
  const { descendants } = await import("../helpers/processes.ts");
  const line = [...lab.user.prefix, "sh", "-c", `exec ${command}`];
  const child = Bun.spawn(line, { env: lab.env, cwd: lab.home, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  let peakKb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const sizes = descendants(child.pid).map(({ pid }) => proportionalKb(pid));
    peakKb = Math.max(
      peakKb,
      sizes.reduce((sum, each) => sum + each, 0),
    );
    await Bun.sleep(20);
  }
  if (child.exitCode !== 0) throw new Error(`${command}: exit status ${child.exitCode}`);
  return peakKb / 1024;
}

/** Proportional set size of a process (proc(5) smaps_rollup); 0 when it has ended meanwhile. */
export function proportionalKb(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)?.[1] ?? 0);
  } catch {
    return 0; // ended meanwhile
  }
}
