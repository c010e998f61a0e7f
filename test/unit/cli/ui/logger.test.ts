import { expect, test } from "bun:test";
import { createLogger, type LoggerOptions } from "../../../../src/cli/ui/logger.ts";

function logged(options: Partial<LoggerOptions>): string[] {
  const lines: string[] = [];
  const screen = { print: (line: string) => void lines.push(line), show: () => {} };
  const log = createLogger(screen, { colour: false, json: false, level: "normal", ...options });
  log.debug("opened the store", { root: "/s" });
  log.info("pulled alpine");
  log.warn("the device is a file", { path: "dev/null", owner: undefined, count: 2 });
  return lines;
}

test("news are plain, warnings say so, details follow in parentheses", () => {
  expect(logged({})).toEqual(["pulled alpine", "warning: the device is a file (path=dev/null, count=2)"]);
});

test("quiet keeps warnings, debug adds the rest", () => {
  expect(logged({ level: "quiet" })).toEqual(["warning: the device is a file (path=dev/null, count=2)"]);
  expect(logged({ level: "debug" })[0]).toBe("debug: opened the store (root=/s)");
});

test("colour adds nothing but colour", () => {
  expect(logged({ colour: true })[1]).toContain("\x1b[33mwarning:");
  expect(logged({ colour: true }).map((line) => Bun.stripANSI(line))).toEqual(logged({}));
});

test("as JSON", () => {
  const lines = logged({ json: true }).map((line): unknown => JSON.parse(line));
  expect(lines).toEqual([
    { event: "message", level: "info", time: expect.any(String), message: "pulled alpine" },
    {
      event: "message",
      level: "warn",
      time: expect.any(String),
      message: "the device is a file",
      path: "dev/null",
      count: 2,
    },
  ]);
});

test("a repeated message is printed each time", () => {
  const lines: string[] = [];
  const screen = { print: (line: string) => void lines.push(line), show: () => {} };
  const log = createLogger(screen, { colour: false, json: false, level: "normal" });
  for (let count = 0; count < 20; count++) log.warn("again");
  expect(lines).toHaveLength(20);
});
