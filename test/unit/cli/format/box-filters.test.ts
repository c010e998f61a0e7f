/** Filters of ps, on boxes as plain data. */
import { describe, expect, test } from "bun:test";
import type { ListedBox } from "../../../../src/box/list.ts";
import { asksForAll, boxFilterKeys, fittingBoxes } from "../../../../src/cli/format/box-filters.ts";
import { parseFilters } from "../../../../src/cli/format/filters.ts";
import { renderList } from "../../../../src/cli/format/list.ts";
import { boxShape } from "../../../../src/cli/format/shapes/box.ts";
import type { BoxRecord } from "../../../../src/store/types.ts";
import { failureOf } from "../../../helpers/failure.ts";

function box(id: string, changes: Partial<BoxRecord> = {}): ListedBox {
  const record: BoxRecord = {
    version: 1,
    id: id.repeat(64),
    name: `box-${id}`,
    image: "alpine",
    chainIds: [],
    created: "2026-01-01T00:00:00Z",
    command: ["sleep", "a very long time"],
    labels: {},
    ephemeral: false,
    status: "running",
    ...changes,
  };
  const mount = { type: "volume", name: "data", source: "/store/data", destination: "/d" } as const;
  return {
    record,
    config: () => undefined,
    mounts: () => (id === "a" ? [{ ...mount, isWritable: true, propagation: "rprivate" }] : []),
    size: () => ({ ownBytes: 1000, imageBytes: 2_000_000 }),
  };
}

const port = { hostIp: "0.0.0.0", hostPort: 8080, containerPort: 80, protocol: "tcp" } as const;
/** The newest first. */
const boxes = [
  box("a", { labels: { tier: "web" }, ports: [port] }),
  box("b", { status: "exited", exitCode: 3 }),
  box("c", { status: "paused", health: { status: "unhealthy", failingStreak: 3, log: [] } }),
];

const fitting = (...texts: string[]): string =>
  fittingBoxes(
    parseFilters(texts, boxFilterKeys),
    boxes,
    ({ record }, image) => image === "own" && record.name === "box-b",
  )
    .map(({ record }) => record.name.slice(-1))
    .join("");

test.each([
  [[], "abc"],
  [["id=bbb"], "b"],
  [["name=box-a"], "a"],
  [["name=^/box-[ab]$"], "ab"],
  [["name=zz"], ""],
  [["label=tier"], "a"],
  [["label=tier=db"], ""],
  [["status=exited", "status=paused"], "bc"],
  [["exited=3"], "b"],
  [["exited=0"], ""],
  [["health=unhealthy"], "c"],
  [["health=none"], "ab"],
  [["publish=80"], "a"],
  [["publish=80/udp"], ""],
  [["expose=70-90/tcp"], "a"],
  [["volume=data"], "a"],
  [["volume=/d"], "a"],
  [["ancestor=own"], "b"],
  [["before=box-b"], "c"],
  [["since=bbb"], "a"],
  [["status=running", "name=c"], ""],
])("%p", (texts, expected) => expect(fitting(...texts)).toBe(expected));

describe("slips", () => {
  test.each([["status=up"], ["exited=x"], ["publish=http"]])("%s", (text) =>
    expect(failureOf(() => fitting(text)).code).toBe("USAGE"),
  );
  test("a box that is not there", () => expect(failureOf(() => fitting("before=zz")).code).toBe("BOX_NOT_FOUND"));
});

test("who asks for a state asks for all", () => {
  expect(asksForAll(parseFilters(["status=exited"], boxFilterKeys))).toBe(true);
  expect(asksForAll(parseFilters(["name=x"], boxFilterKeys))).toBe(false);
});

test("the table is docker's", () => {
  const now = new Date("2026-01-01T02:00:00Z");
  const table = renderList(boxShape({ now, full: false, size: true }), undefined, boxes.slice(0, 1));
  expect(table).toBe(
    "CONTAINER ID   IMAGE     COMMAND                  CREATED       STATUS       PORTS                  NAMES     SIZE\n" +
      'aaaaaaaaaaaa   alpine    "sleep a very long t…"   2 hours ago   Up 2 hours   0.0.0.0:8080->80/tcp   box-a     1kB (virtual 2MB)\n',
  );
});
