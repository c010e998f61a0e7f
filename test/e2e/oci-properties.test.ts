/** Every property of config.json (runtime-spec 1.2 for Linux): what it does in the box, or the error that it gets. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { findCgroupLayout } from "../../src/cgroup/layout.ts";
import { resourceRows } from "../helpers/oci-properties/resources.ts";
import { expectation, title } from "../helpers/oci-properties/row.ts";
import { rows } from "../helpers/oci-properties/rows.ts";
import { type Laboratory, openLaboratory } from "../helpers/oci-properties/run.ts";

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await openLaboratory();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

/** control-groups-v2.test.ts and oci-limits.test.ts see what resources are on version 2. */
const isV1 = findCgroupLayout(readFileSync("/proc/self/mountinfo", "utf8"))?.version === 1;

for (const row of rows) {
  test.skipIf(!isV1 && resourceRows.includes(row))(title(row), async () => {
    const { seen, exitCode, stderr, place } = await laboratory.observe(row);
    const wanted = expectation(row);
    if (typeof wanted === "object" && "refused" in wanted) {
      expect({ seen, exitCode, stderr }).toEqual({
        seen: "",
        exitCode: 1,
        stderr: expect.stringMatching(wanted.refused),
      });
      return;
    }
    const text = typeof wanted === "function" ? wanted(place) : wanted;
    expect({ seen, stderr }).toEqual({
      seen: typeof text === "string" ? text : expect.stringMatching(text),
      stderr: row.warns === undefined ? "" : expect.stringMatching(row.warns),
    });
  });
}
