import { expect, test } from "bun:test";
import { readPruneFilters } from "../../../src/cli/prune-filters.ts";
import { failureOf } from "../../helpers/failure.ts";

const now = new Date("2026-06-15T00:00:00Z");
const image = (created: string | undefined, labels: Record<string, string> = {}) => ({ created, labels });

test("nothing asked", () => {
  expect(readPruneFilters([], now)).toBeUndefined();
});

test.each([
  [["until=24h"], image("2026-06-13T00:00:00Z"), true],
  [["until=24h"], image("2026-06-14T12:00:00Z"), false],
  [["until=2026-06-14T00:00:00Z"], image("2026-06-13T23:59:59Z"), true],
  [["until=1781395200"], image("2026-06-14T00:00:00Z"), false],
  [["until=1781395201"], image("2026-06-14T00:00:00Z"), true],
  [["until=24h"], image(undefined), false],
  [["until=24h"], image("yesterday"), false],
  [["label=stage"], image(undefined, { stage: "build" }), true],
  [["label=stage=test"], image(undefined, { stage: "build" }), false],
  [["label!=keep"], image(undefined, { keep: "" }), false],
  [["label!=keep"], image(undefined), true],
  [["label!=keep=yes"], image(undefined, { keep: "no" }), true],
  [["until=24h", "label=a"], image("2026-01-01T00:00:00Z", { a: "" }), true],
  [["until=24h", "label=a"], image("2026-01-01T00:00:00Z"), false],
])("%p of %p: %p", (texts, candidate, fits) => {
  expect(readPruneFilters(texts, now)?.(candidate)).toBe(fits);
});

test.each([[["until"]], [["until=soon"]], [["dangling=true"]], [["until=1h", "until=2h"]]])("%p", (texts) => {
  expect(failureOf(() => readPruneFilters(texts, now)).code).toBe("USAGE");
});
