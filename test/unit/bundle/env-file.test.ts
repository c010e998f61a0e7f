import { expect, test } from "bun:test";
import { parseEnvFile, parseEnvFlag } from "../../../src/bundle/env-file.ts";
import { failureOf } from "../../helpers/failure.ts";

const host = { HERE: "yes", EMPTY: "" };

test("-e", () => {
  expect(parseEnvFlag("A=1", host)).toBe("A=1");
  expect(parseEnvFlag("A=", host)).toBe("A=");
  expect(parseEnvFlag("HERE", host)).toBe("HERE=yes");
  expect(parseEnvFlag("EMPTY", host)).toBe("EMPTY=");
  expect(parseEnvFlag("GONE", host)).toBe("GONE");
  for (const text of ["", "=x"]) expect(failureOf(() => parseEnvFlag(text, host)).code).toBe("USAGE");
});

test("a file: verbatim values, comments, keys of the host", () => {
  const text = '\uFEFFA=1\r\n# comment\n  #also\n\nB="quoted" # not a comment\n   C = padded\nHERE\nGONE\nD=\n';
  expect(() => parseEnvFile(text, host, "f")).toThrow("white space");
  expect(parseEnvFile(text.replace("C = ", "C= "), host, "f")).toEqual([
    "A=1",
    'B="quoted" # not a comment',
    "C= padded",
    "HERE=yes",
    "D=",
  ]);
});

test.each([
  ["A=1\n=x", "line 2", "no name"],
  ["A B=1", "line 1", 'name "A B" contains white space'],
  ["A=\0", "line 1", "NUL"],
])("%p", (text, place, reason) => {
  const error = failureOf(() => parseEnvFile(text, host, "my.env"));
  expect(error.code).toBe("USAGE");
  expect(error.step).toBe(`read --env-file my.env, ${place}`);
  expect(error.because).toContain(reason);
});
