/** Files that are whole under their name, or not there: nothing is seen of them before, also when the process dies. */
import { afterAll, expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFile, writeWhole } from "../../../src/image/destinations/write-file.ts";
import { failureOf } from "../../helpers/failure.ts";

const root = mkdtempSync(join(tmpdir(), "write-"));
afterAll(() => rmSync(root, { recursive: true }));

test("it has no name before it is whole, and then the one it is to have", async () => {
  const directory = join(root, "new");
  mkdirSync(directory);
  await using file = createFile(join(directory, "name"));
  writeSync(file.fd, "content");
  expect(readdirSync(directory)).toEqual([]);
  await file.commit();
  expect(readdirSync(directory)).toEqual(["name"]);
  expect(readFileSync(join(directory, "name"), "utf8")).toBe("content");
  expect(lstatSync(join(directory, "name")).mode & 0o777).toBe(0o666 & ~process.umask());
});

test("what has the name is replaced as a whole, or stays", async () => {
  const directory = join(root, "there");
  mkdirSync(directory);
  const path = join(directory, "name");
  writeFileSync(path, "before");
  {
    await using file = createFile(path);
    writeSync(file.fd, "given up");
  }
  expect(readFileSync(path, "utf8")).toBe("before");
  await writeWhole(path, "after");
  expect(readFileSync(path, "utf8")).toBe("after");
  expect(readdirSync(directory)).toEqual(["name"]);
});

test("a directory that is not there is an error that names the file", () => {
  const path = join(root, "nowhere/name");
  const { code, message } = failureOf(() => createFile(path));
  expect([code, message]).toEqual(["COPY_FAILED", `write ${path}: no such file or directory (ENOENT)`]);
});
