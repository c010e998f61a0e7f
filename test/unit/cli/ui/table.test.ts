import { expect, test } from "bun:test";
import { type Column, renderTable } from "../../../../src/cli/ui/table.ts";

const columns: readonly Column<{ readonly name: string; readonly size: string }>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "SIZE", cell: ({ size }) => size, align: "right" },
];

test("columns are as wide as their widest cell, numbers stand right", () => {
  const rows = [
    { name: "alpine", size: "3.6 MB" },
    { name: "a-long-name", size: "832 MB" },
    { name: "b", size: "1.2 GB" },
  ];
  expect(renderTable(columns, rows)).toBe(
    ["NAME            SIZE", "alpine        3.6 MB", "a-long-name   832 MB", "b             1.2 GB", ""].join("\n"),
  );
});

test("no rows: the heading", () => {
  expect(renderTable(columns, [])).toBe("NAME   SIZE\n");
});

test("control characters that are no colours are shown, not sent to the terminal", () => {
  expect(renderTable(columns, [{ name: "\x1b]0;title\x07\x1b[2J", size: "\x9b" }])).toBe(
    "NAME                      SIZE\n\\x1b]0;title\\x07\\x1b[2J   \\x9b\n",
  );
});

test("colours and wide characters count as what they show", () => {
  const rows = [
    { name: "\x1b[31mred\x1b[39m", size: "1" },
    { name: "日本", size: "2" },
  ];
  expect(Bun.stripANSI(renderTable(columns, rows))).toBe("NAME   SIZE\nred       1\n日本      2\n");
});

test("no line ends in spaces, and a cell cannot break the table", () => {
  const left: readonly Column<string>[] = [
    { title: "A", cell: (row) => row },
    { title: "B", cell: () => "" },
  ];
  const text = renderTable(left, ["one\ntwo\tthree", "x"]);
  expect(text).toBe("A               B\none two three\nx\n");
});
