import { expect, test } from "bun:test";
import { loadAllCommands } from "../../../src/cli/catalogue.ts";
import { loadGroups } from "../../../src/cli/groups.ts";
import { manPage } from "../../../src/cli/man-page.ts";

const commands = await loadAllCommands();
const groups = await loadGroups(commands);
const page = manPage(commands, groups, "1.2.3");

test("every command and every visible option stands in it", async () => {
  for (const { meta, args } of [
    ...commands,
    ...groups.flatMap(({ members }) => members.map(({ command }) => command)),
  ]) {
    expect(page).toContain(`.SS devbox ${meta.name.replaceAll("-", "\\-")}`);
    for (const [name, def] of Object.entries(args)) {
      const term = `\\-\\-${name.replaceAll("-", "\\-")}`;
      if (def.type !== "positional" && !def.hidden) expect(page).toContain(term);
    }
  }
  expect(page).not.toContain("\\-\\-net\n");
});

test("defaults and notes are in it", () => {
  expect(page).toContain("Size of /dev/shm. Default: 64m.");
  expect(page).toContain("Options end at IMAGE; everything behind it belongs to the box. The exit status");
});

test("no line is taken for a request by accident", () => {
  const requests = new Set([".TH", ".SH", ".SS", ".B", ".I", ".TP", ".PP", ".EX", ".EE"]);
  const unknown = page.split("\n").filter((line) => /^[.']/.test(line) && !requests.has(line.split(" ")[0] ?? ""));
  expect(unknown).toEqual([]);
});

test("backslashes are escaped: what is left are the escapes that we write", () => {
  expect(page.match(/\\[^-efR&]/g) ?? []).toEqual([]);
});
