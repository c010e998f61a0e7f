import { expect, test } from "bun:test";
import { grantLine } from "../../../src/host/grant-ids.ts";

const line = (range: string) => `sudo usermod --add-subuids ${range} --add-subgids ${range} ada`;

test("where nobody has any, it begins where useradd does", () => {
  expect(grantLine("ada", [])).toBe(line("100000-165535"));
  expect(grantLine("ada", ["# comment\nlow:500:10\nbroken\n", ""])).toBe(line("100000-165535"));
});

test("behind the last range of anybody in either file", () => {
  const subuid = "bob:165536:65536\neve:100000:65536\n";
  expect(grantLine("ada", [subuid, "bob:300000:5\n"])).toBe(line("300005-365540"));
});
