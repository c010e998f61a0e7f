import { expect, test } from "bun:test";
import { defaultDetachKeys, detachScanner, parseDetachKeys } from "../../../src/box/detach-keys.ts";
import { failureOf } from "../../helpers/failure.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (typed: string): Uint8Array => new TextEncoder().encode(typed);

test("keys are letters and control characters", () => {
  expect([...parseDetachKeys(defaultDetachKeys)]).toEqual([16, 17]);
  expect([...parseDetachKeys("a,ctrl-A,ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_")]).toEqual([
    97, 1, 0, 27, 28, 29, 30, 31,
  ]);
  expect([...parseDetachKeys("")]).toEqual([]);
});

for (const bad of ["ctrl-", "ctrl-1", "ab", "a,,b", "é", "alt-x"]) {
  test(`${bad} is no key`, () => {
    expect(failureOf(() => parseDetachKeys(bad))).toMatchObject({ code: "USAGE" });
  });
}

/** What comes through, piece by piece, and whether it ended with the keys. */
function scan(keys: string, ...pieces: readonly string[]): readonly [string, boolean] {
  const scanner = detachScanner(parseDetachKeys(keys));
  let passed = "";
  for (const piece of pieces) {
    const { pass, detached } = scanner.scan(bytes(piece));
    passed += text(pass);
    if (detached) return [passed, true];
  }
  return [passed, false];
}

test("the keys are found in one piece, and over several", () => {
  expect(scan("ctrl-p,ctrl-q", "ls\x10\x11more")).toEqual(["ls", true]);
  expect(scan("ctrl-p,ctrl-q", "ls\x10", "\x11")).toEqual(["ls", true]);
  expect(scan("a", "xa")).toEqual(["x", true]);
});

test("what only begins like them reaches the box, late", () => {
  expect(scan("ctrl-p,ctrl-q", "\x10x", "y")).toEqual(["\x10xy", false]);
  expect(scan("ctrl-p,ctrl-q", "\x10", "\x10", "\x11")).toEqual(["\x10", true]);
  expect(scan("a,a,b", "aaab")).toEqual(["a", true]);
  expect(scan("ctrl-p,ctrl-q", "\x10")).toEqual(["", false]);
});

test("without keys everything passes", () => {
  expect(scan("", "\x10\x11")).toEqual(["\x10\x11", false]);
});
