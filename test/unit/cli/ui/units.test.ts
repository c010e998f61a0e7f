import { expect, test } from "bun:test";
import { formatAge, formatBytes, formatDuration } from "../../../../src/cli/ui/units.ts";

test("bytes have three figures and decimal units", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [1500, "1.5 kB"],
    [99_940, "99.9 kB"],
    [99_960, "100 kB"],
    [999_400, "999 kB"],
    [999_600, "1.0 MB"],
    [832_000_000, "832 MB"],
    [1_200_000_000_000, "1.2 TB"],
    [5e18, "5000 PB"],
  ];
  for (const [bytes, text] of cases) expect(formatBytes(bytes)).toBe(text);
});

test("durations", () => {
  expect([0, 4.4, 59.4, 59.6, 65, 3600, 7380, -3].map(formatDuration)).toEqual([
    "0s",
    "4s",
    "59s",
    "1m 00s",
    "1m 05s",
    "1h 00m",
    "2h 03m",
    "0s",
  ]);
});

test("ages", () => {
  const now = new Date("2026-06-15T12:00:00Z");
  const age = (text: string): string => formatAge(new Date(text), now);
  expect(age("2026-06-15T11:59:30Z")).toBe("just now");
  expect(age("2026-06-15T11:59:00Z")).toBe("1 minute ago");
  expect(age("2026-06-14T12:00:01Z")).toBe("23 hours ago");
  expect(age("2026-06-13T12:00:00Z")).toBe("2 days ago");
  expect(age("2026-05-20T12:00:00Z")).toBe("3 weeks ago");
  expect(age("1970-01-01T00:00:00Z")).toBe("56 years ago");
  expect(age("2027-01-01T00:00:00Z")).toBe("just now");
});
