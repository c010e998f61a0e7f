/** Lists by --format, and their filters. */
import { describe, expect, test } from "bun:test";
import { anyFits, booleanFilter, labelsFit, nameFits, parseFilters } from "../../../../src/cli/format/filters.ts";
import { type ListShape, renderList, renderValue } from "../../../../src/cli/format/list.ts";
import { failureOf } from "../../../helpers/failure.ts";

interface Row {
  readonly id: string;
  readonly names: string;
  readonly labels: Readonly<Record<string, string>>;
}

const shape: ListShape<Row> = {
  fields: {
    Names: { title: "NAMES", value: ({ names }) => names },
    ID: { title: "CONTAINER ID", value: ({ id }) => id },
    Label: {
      title: "",
      value:
        ({ labels }) =>
        (key) =>
          labels[String(key)] ?? "",
    },
  },
  table: "{{.ID}}\t{{.Names}}",
};
const rows: readonly Row[] = [
  { id: "1", names: "web", labels: { "org.stage": "test" } },
  { id: "23456789012", names: "data\nbase", labels: {} },
];

test("the table is docker's, and a name cannot break it", () => {
  const table = "CONTAINER ID   NAMES\n1              web\n23456789012    data base\n";
  expect(renderList(shape, undefined, rows)).toBe(table);
  expect(renderList(shape, "table", rows)).toBe(table);
  expect(renderList(shape, undefined, [])).toBe("CONTAINER ID   NAMES\n");
});

test("columns are ten wide at least", () => {
  expect(renderList(shape, "table {{.Names}}\\t{{.ID}}", rows.slice(0, 1))).toBe(
    "NAMES     CONTAINER ID\nweb       1\n",
  );
});

test("the title of a label is the end of its name", () => {
  expect(renderList(shape, 'table {{.Label "org.stage"}}\t{{.ID}}', rows.slice(0, 1))).toBe(
    "stage     CONTAINER ID\ntest      1\n",
  );
});

test("a template is a line for each row; json has all fields in order", () => {
  expect(renderList(shape, "{{.ID}}\\t{{.Names}}", rows.slice(0, 1))).toBe("1\tweb\n");
  expect(renderList(shape, "json", rows.slice(0, 1))).toBe('{"ID":"1","Names":"web"}\n');
  expect(renderList(shape, "{{json .}}", rows.slice(0, 1))).toContain('"Names":"web"');
  expect(renderList(shape, "{{.ID}}", [])).toBe("");
});

test("fields are asked for only where the template does", () => {
  const lazy: ListShape<Row> = {
    ...shape,
    fields: {
      ...shape.fields,
      Size: {
        title: "SIZE",
        value: () => {
          throw new Error("not asked for");
        },
      },
    },
  };
  expect(renderList(lazy, "{{.ID}}", rows.slice(0, 1))).toBe("1\n");
});

test("a single value", () => {
  expect(renderValue("json", { A: 1 })).toBe('{"A":1}\n');
  expect(renderValue("{{.A}}", { A: 1 })).toBe("1\n");
});

describe("filters", () => {
  const parse = (...texts: string[]) => parseFilters(texts, ["name", "label", "dangling"]);

  test("values of one key are alternatives; labels must all fit", () => {
    const filters = parse("name=a", "name=b", "label=x", "label=y=1");
    expect(anyFits(filters, "name", (value) => value === "b")).toBe(true);
    expect(anyFits(filters, "name", (value) => value === "c")).toBe(false);
    expect(anyFits(filters, "status", () => false)).toBe(true);
    expect(labelsFit(filters, { x: "", y: "1" })).toBe(true);
    expect(labelsFit(filters, { x: "", y: "2" })).toBe(false);
    expect(labelsFit(filters, { y: "1" })).toBe(false);
    expect(labelsFit(parse("label=toString"), {})).toBe(false);
  });

  test("names by a part or a regular expression", () => {
    expect(nameFits("we", "web")).toBe(true);
    expect(nameFits("^w.b$", "web")).toBe(true);
    expect(nameFits("(", "web")).toBe(false);
  });

  test("booleans", () => {
    expect(booleanFilter(parse("dangling=true"), "dangling")).toBe(true);
    expect(booleanFilter(parse(), "dangling")).toBeUndefined();
    expect(failureOf(() => booleanFilter(parse("dangling=x"), "dangling")).code).toBe("USAGE");
  });

  test("slips are named", () => {
    expect(failureOf(() => parse("nmae=x")).because).toBe("the keys are name, label, dangling");
    expect(failureOf(() => parse("name")).because).toContain("KEY=VALUE");
  });
});
