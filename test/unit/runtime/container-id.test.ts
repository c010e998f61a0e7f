import { expect, test } from "bun:test";
import { checkContainerId } from "../../../src/runtime/container-id.ts";
import { failureOf } from "../../helpers/failure.ts";

test.each(["a", "A-1_b+c.d", "a.", "a..b", "x".repeat(255)])("%j is an id", (id) =>
  expect(checkContainerId(id)).toBe(id),
);

test.each(["", ".", "..", "...", ".a", "a/b", "../a", "/", "a\0b", "a\n", "ä", "a b", "a:b", "a%", "x".repeat(256)])(
  "%j is none",
  (id) => {
    const error = failureOf(() => checkContainerId(id));
    expect(error.code).toBe("USAGE");
    expect(error.message).toContain("invalid id format");
  },
);

test.each([
  ["this/is/none", "/"],
  [".a", "."],
  ["ä", "ä"],
])("of %j the error names the character %j", (id, character) =>
  expect(failureOf(() => checkContainerId(id)).message).toContain(
    `invalid character ${JSON.stringify(character)} in the container ID`,
  ),
);
