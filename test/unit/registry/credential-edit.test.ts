import { expect, test } from "bun:test";
import fc from "fast-check";
import { withEntry, withoutEntry } from "../../../src/registry/authentication/credential-edit.ts";
import { failureOf } from "../../helpers/failure.ts";

const hub = "https://index.docker.io/v1/";
const entry = { key: "a.example", auth: "dXNlcjpwYXNz" };

test("a new file, as docker writes it", () => {
  expect(withEntry(undefined, entry, "f")).toBe(
    '{\n\t"auths": {\n\t\t"a.example": {\n\t\t\t"auth": "dXNlcjpwYXNz"\n\t\t}\n\t}\n}',
  );
});

test("other spellings of the same registry go, and nothing else", () => {
  const text = JSON.stringify({ auths: { "docker.io": {}, "index.docker.io": {}, "docker.io/me": {}, other: {} } });
  const changed = withEntry(text, { key: hub, auth: "x" }, "f");
  expect(Object.keys(JSON.parse(changed).auths)).toEqual(["docker.io/me", "other", hub]);
  expect(Object.keys(JSON.parse(withoutEntry(text, hub, "f") ?? "").auths)).toEqual(["docker.io/me", "other"]);
  expect(withoutEntry(text, "a.example", "f")).toBeUndefined();
});

/** Object keys that are no integers, which JavaScript would put first. */
const key = fc.string().filter((text) => !/^\d+$/.test(text));
const document = fc.dictionary(
  key,
  fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
);

test("property: in and out again is the same text, spaces, order, numbers and odd keys included", () => {
  const indent = fc.constantFrom("\t", "  ", "    ");
  fc.assert(
    fc.property(document, fc.dictionary(key, fc.constant({})), indent, (before, auths, space) => {
      fc.pre(
        Object.keys(auths).every(
          (one) => withoutEntry(JSON.stringify({ auths: { [one]: {} } }), entry.key, "f") === undefined,
        ),
      );
      const text = JSON.stringify({ ...before, auths }, null, space);
      const there = withEntry(text, entry, "f");
      expect(withoutEntry(there, entry.key, "f")).toBe(text);
      expect(JSON.parse(there).auths[entry.key]).toEqual({ auth: entry.auth });
    }),
  );
  const numbers = '{\n  "auths": {},\n  "a": 1.0,\n  "b": 12345678901234567890,\n  "c": 1e3\n}\n';
  expect(withoutEntry(withEntry(numbers, entry, "f"), entry.key, "f")).toBe(numbers);
});

test("what is no such file is refused", () => {
  for (const text of ["[", "[]", '{"auths": []}']) {
    expect(failureOf(() => withEntry(text, entry, "/some/config.json"))).toMatchObject({
      code: "BAD_CONFIG",
      step: "read /some/config.json",
    });
  }
});

test("property: whatever the file is, it is changed, or refused as a DevboxError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((auths) => JSON.stringify({ auths })),
  );
  fc.assert(
    fc.property(text, (one) => {
      try {
        expect(JSON.parse(withEntry(one, entry, "f")).auths[entry.key]).toEqual({ auth: entry.auth });
      } catch (error) {
        expect(error).toMatchObject({ code: "BAD_CONFIG" });
      }
    }),
  );
});
