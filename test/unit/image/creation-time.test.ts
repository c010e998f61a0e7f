import { expect, test } from "bun:test";
import { creationTime } from "../../../src/image/make/creation-time.ts";

const now = new Date("2026-01-01T00:00:00Z");
const at = (text?: string) => creationTime({ env: { SOURCE_DATE_EPOCH: text }, now: () => now });

test("SOURCE_DATE_EPOCH counts where it is set", () => {
  expect(at()).toBe(now);
  expect(at("")).toBe(now);
  expect(at("0")).toEqual(new Date(0));
  expect(at("1700000000").toISOString()).toBe("2023-11-14T22:13:20.000Z");
});

test.each(["-1", "1.5", "now", "0x10", "999999999999"])("%s is refused", (text) => {
  expect(() => at(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
