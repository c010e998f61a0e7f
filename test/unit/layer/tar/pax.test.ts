import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DevboxError } from "../../../../src/core/errors.ts";
import { parsePax, parsePaxNumber, parsePaxTime } from "../../../../src/layer/tar/pax.ts";
import { paxRecords } from "../../../helpers/tar-builder.ts";

const byte = (min: number): fc.Arbitrary<string> =>
  fc.integer({ min, max: 255 }).map((code) => String.fromCharCode(code));
const key = fc.string({ unit: byte(1).filter((char) => char !== "="), minLength: 1, maxLength: 20 });
const value = fc.string({ unit: byte(1), maxLength: 2000 });

describe("records", () => {
  test("reading gives back what was written, byte for byte", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), (pairs) => {
        const written = paxRecords(pairs.map(([name, text]) => [name, Buffer.from(text, "latin1")] as const));
        const names = pairs.map(([name]) => Buffer.from(name, "utf8").toString("latin1"));
        expect(parsePax(written, 0)).toEqual(pairs.map(([, text], at) => ({ key: names[at] ?? "", value: text })));
      }),
    );
  });

  test("anything is read or refused as invalid, with the byte where it is", () => {
    const text = fc.string({ unit: fc.constantFrom("1", "2", "9", " ", "=", "\n", "a", "\0"), maxLength: 40 });
    fc.assert(
      fc.property(text, (bytes) => {
        try {
          const records = parsePax(Buffer.from(bytes), 1000);
          expect(
            paxRecords(records.map((record) => [record.key, record.value] as const)).toString().length,
          ).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(DevboxError);
          expect(String(error)).toMatch(/at byte 1\d\d\d of the archive/);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("times", () => {
  test.each([
    ["0", 0, 0],
    ["1.", 1, 0],
    ["1700000000.123456789", 1_700_000_000, 123_456_789],
    ["1.1234567899", 1, 123_456_789],
    ["-1", -1, 0],
    ["-1.5", -2, 500_000_000],
    ["-0.25", -1, 750_000_000],
    ["-0", 0, 0],
  ])("%s", (text, seconds, nanoseconds) => {
    expect(parsePaxTime(text)).toEqual({ seconds, nanoseconds });
  });

  test.each(["", ".5", "1e9", "1.5.5", "0x1", " 1", "--1", "9".repeat(16)])("%j is none", (text) => {
    expect(parsePaxTime(text)).toBeUndefined();
  });
});

test("numbers are decimal and exact", () => {
  expect(parsePaxNumber("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ["", "-1", "1.5", "1e3", "9007199254740992", " 1", "0x10"]) expect(parsePaxNumber(text)).toBeNaN();
});
