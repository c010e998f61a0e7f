import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type SyscallName, syscallNumber } from "../../../../ffi/syscalls.ts";

const source = readFileSync(new URL("../../../../ffi/launcher/kernel.h", import.meta.url), "utf8");

test.each(["x86_64", "aarch64"] as const)("the launcher's own system calls have the numbers of %s", (architecture) => {
  const start = source.indexOf(`defined(__${architecture}__)`);
  const table = source.slice(start, source.indexOf("};", start));
  const numbers = [...table.matchAll(/NR_(\w+) = (\d+)/g)].map(([, name, number]) => [name, Number(number)] as const);
  expect(numbers.length).toBeGreaterThan(20);
  for (const [name, number] of numbers)
    expect([name, syscallNumber(name as SyscallName, architecture)]).toEqual([name, number]);
});
