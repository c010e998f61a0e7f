import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentContext } from "../../../src/core/context.ts";
import { tryLock, waitForLock } from "../../../src/store/locks.ts";

const base = mkdtempSync(join(tmpdir(), "devbox-locks-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("exclusive excludes all, shared only exclusive", () => {
  const path = join(base, "modes");
  using first = tryLock(path, "shared");
  using second = tryLock(path, "shared");
  expect(first).toBeDefined();
  expect(second).toBeDefined();
  expect(tryLock(path, "exclusive")).toBeUndefined();
  first?.[Symbol.dispose]();
  second?.[Symbol.dispose]();
  using alone = tryLock(path, "exclusive");
  expect(alone).toBeDefined();
  expect(tryLock(path, "shared")).toBeUndefined();
});

test("a removed lock excludes nobody, and disposing it again harms nobody", () => {
  const path = join(base, "removed");
  const old = tryLock(path, "exclusive");
  old?.remove();
  expect(existsSync(path)).toBe(false);
  using next = tryLock(path, "exclusive");
  old?.[Symbol.dispose]();
  expect(next).toBeDefined();
  expect(tryLock(path, "exclusive")).toBeUndefined();
});

test("a lock on a file that is no longer the one of its name is not taken for the lock", () => {
  const path = join(base, "replaced");
  using old = tryLock(path, "exclusive");
  unlinkSync(path);
  using fresh = tryLock(path, "exclusive");
  expect(old).toBeDefined();
  expect(fresh).toBeDefined();
  expect(tryLock(path, "exclusive")).toBeUndefined();
});

test("waiting ends with the holder, and says once that it waits", async () => {
  const path = join(base, "waiting");
  const holder = tryLock(path, "exclusive");
  let waits = 0;
  const waiting = waitForLock(silentContext(), path, "exclusive", () => {
    waits += 1;
    holder?.[Symbol.dispose]();
  });
  using lock = await waiting;
  expect(lock.path).toBe(path);
  expect(waits).toBe(1);
});

test("waiting ends when the context is cancelled", async () => {
  const path = join(base, "cancelled");
  using _holder = tryLock(path, "exclusive");
  const controller = new AbortController();
  const waiting = waitForLock(silentContext(controller.signal), path, "shared", () => controller.abort());
  await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
});
