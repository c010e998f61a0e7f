import { expect, test } from "bun:test";
import { SyscallError } from "../../../ffi/errno.ts";
import { DevboxError, describeCause, errorTable } from "../../../src/core/errors.ts";

test("every code has something to do", () => {
  for (const [code, { hint }] of Object.entries(errorTable)) expect([code, hint]).not.toEqual([code, ""]);
  expect(new DevboxError("LAYER_IO", { step: "x" }).hint).toBe(errorTable.LAYER_IO.hint);
  expect(new DevboxError("LAYER_IO", { step: "x", hint: "y" }).hint).toBe("y");
});

test("system errors in words", () => {
  const failed = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC", errno: -28 });
  expect(describeCause(failed)).toBe("no space left on device (ENOSPC)");
  expect(describeCause(new SyscallError("open", 2, "/x"))).toBe("open /x: no such file or directory (ENOENT)");
});

test("a number that is not the code's is not taken for an errno: the resolver's ENOTFOUND has EINTR's", () => {
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND x"), { code: "ENOTFOUND", errno: 4 });
  expect(describeCause(unknown)).toBe("getaddrinfo ENOTFOUND x");
});
