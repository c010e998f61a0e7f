import { expect, test } from "bun:test";
import { renderList } from "../../../../src/cli/format/list.ts";
import { historyShape } from "../../../../src/cli/format/shapes/history.ts";
import type { HistoryStep } from "../../../../src/image/shown/history.ts";

const now = new Date("2026-06-15T00:00:00Z");
const step: HistoryStep = {
  id: undefined,
  created: "2026-06-01T00:00:00Z",
  createdBy: `RUN\t${"x".repeat(60)}`,
  comment: "buildkit",
  author: undefined,
  diffId: undefined,
  sizeBytes: 123_456_789,
  names: [],
};
const steps = [
  { ...step, id: `sha256:${"0123456789abcdef".repeat(4)}` as const, sizeBytes: 0, createdBy: "CMD" },
  step,
];

test("docker's table", () => {
  expect(renderList(historyShape({ now, full: false, human: true }), undefined, steps)).toMatchInlineSnapshot(`
    "IMAGE          CREATED       CREATED BY                                      SIZE      COMMENT
    0123456789ab   2 weeks ago   CMD                                             0B        buildkit
    <missing>      2 weeks ago   RUN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…   123MB     buildkit
    "
  `);
});

test("in full, and not in words", () => {
  const text = renderList(historyShape({ now, full: true, human: false }), undefined, steps);
  expect(text).toContain(`sha256:${"0123456789abcdef".repeat(4)}`);
  expect(text).toContain("x".repeat(60));
  expect(text).toMatch(/2026-06-01T00:00:00Z .* 123456789 /);
});

test("a template", () => {
  const shape = historyShape({ now, full: false, human: true });
  expect(renderList(shape, "{{.ID}} {{.Size}}", steps)).toBe("0123456789ab 0B\n<missing> 123MB\n");
});
