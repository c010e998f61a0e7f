import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addCounts, readJunit } from "../../../scripts/junit.ts";

const directory = mkdtempSync(join(tmpdir(), "junit-"));
const report = join(directory, "report.xml");
afterAll(() => rmSync(directory, { recursive: true }));

test("what passed is what neither failed nor was skipped", () => {
  writeFileSync(report, '<testsuites name="bun test" tests="9" assertions="20" failures="2" skipped="3" time="1">');
  expect(readJunit(report, 1)).toEqual({ passed: 4, failed: 2, skipped: 3 });
});

test("a run that failed without a failed test counts as a failure", () => {
  writeFileSync(report, '<testsuites name="bun test" tests="3" assertions="2" failures="0" skipped="0" time="1">');
  expect(readJunit(report, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

test("no report is a failure", () => {
  expect(readJunit(join(directory, "none"), 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("counts add up", () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  expect(addCounts([one, one])).toEqual({ passed: 2, failed: 4, skipped: 6 });
});
