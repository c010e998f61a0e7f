/** Control groups of version 2 alone, which the machine that tests may not have: the tests of test/kernel/cgroup in a virtual one. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMachine, runInMachine } from "../vm/machine.ts";

const tests = ["test/kernel/cgroup/", "test/e2e/oci-limits.test.ts"];

const parts = findMachine();

if (typeof parts === "string") {
  test.skip(`in a virtual machine: ${parts}`, () => undefined);
} else {
  const directory = mkdtempSync(join(tmpdir(), "vm-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const { results, console, hasEnded } = await runInMachine(parts, directory, tests);

  describe("in a virtual machine", () => {
    for (const { name, outcome, said } of results) {
      if (outcome === "skip") continue;
      test(name, () => {
        if (outcome === "fail") throw new Error(said);
      });
    }

    test("all tests have run to their end, those of version 2 among them", () => {
      if (!hasEnded) throw new Error(console);
      const passed = results.filter(({ outcome }) => outcome === "pass").map(({ name }) => name);
      for (const group of ["version 2 > ", "version 2, as root > ", "as root > "]) {
        expect(passed.filter((name) => name.startsWith(group)).length).toBeGreaterThan(3);
      }
      // Errors outside of tests are counted here, and have no name.
      const [, failed] = /^\s*(\d+) fail$/m.exec(console) ?? [];
      expect(Number(failed)).toBe(results.filter(({ outcome }) => outcome === "fail").length);
    });
  });
}
