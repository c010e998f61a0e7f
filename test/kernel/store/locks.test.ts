/** Locks between processes, also those whose file is removed by each holder. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tryLock } from "../../../src/store/locks.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-locks-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("a lock that is removed and made again and again lets in one at a time", async () => {
  const counter = join(base, "counter");
  writeFileSync(counter, "0");
  const program = join(import.meta.dir, "../../helpers/programs/count.ts");
  const children = [1, 2, 3].map(() =>
    Bun.spawn([process.execPath, program, join(base, "lock"), counter, "500"], { stderr: "inherit" }),
  );
  expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0, 0]);
  expect(readFileSync(counter, "utf8")).toBe("1500");
});

test("a lock passed to a child is held until the child ends, whatever becomes of the parent's", async () => {
  const path = join(base, "passed");
  const lock = tryLock(path, "exclusive");
  if (lock === undefined) throw new Error("nobody else is here");
  const child = Bun.spawn(["cat"], { stdio: ["pipe", "ignore", "inherit", lock.fd] });
  lock[Symbol.dispose]();
  expect(tryLock(path, "exclusive")).toBeUndefined();
  child.stdin.end();
  await child.exited;
  using free = tryLock(path, "exclusive");
  expect(free).toBeDefined();
});
