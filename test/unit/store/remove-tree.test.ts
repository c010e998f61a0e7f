import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../../../src/store/remove-tree.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-remove-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("removes closed directories and names that are no text, and follows no link", () => {
  const outside = join(base, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "kept");
  const tree = join(base, "tree");
  mkdirSync(join(tree, "work/work"), { recursive: true });
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), "");
  symlinkSync(outside, join(tree, "link"));
  symlinkSync("/nonexistent", join(tree, "work/dangling"));
  chmodSync(join(tree, "work/work"), 0);
  expect(removeTree(tree)).toBe(true);
  expect(existsSync(tree)).toBe(false);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("kept");
});

test("what is gone already is no failure", () => {
  expect(removeTree(join(base, "nothing"))).toBe(true);
});
