/** Counts of a test run, from the JUnit report that bun test writes. */
import { existsSync, readFileSync } from "node:fs";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** A run that wrote no report, or failed though the report names no failure (a file that does not load), counts as one failure. */
export function readJunit(path: string, exitStatus: number): Counts {
  if (!existsSync(path)) return { passed: 0, failed: 1, skipped: 0 };
  const head = readFileSync(path, "utf8").match(/<testsuites [^>]*>/)?.[0] ?? "";
  const number = (name: string): number => Number(head.match(new RegExp(` ${name}="(\\d+)"`))?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  const passed = number("tests") - failed - skipped;
  return { passed, failed: exitStatus !== 0 && failed === 0 ? 1 : failed, skipped };
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = (name: keyof Counts): number => all.reduce((total, each) => total + each[name], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}
