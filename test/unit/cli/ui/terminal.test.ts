import { expect, test } from "bun:test";
import { join } from "node:path";
import { makeStyle, visible, wantsColour } from "../../../../src/cli/ui/terminal.ts";

const module_ = join(import.meta.dir, "../../../../src/cli/ui/terminal.ts");
const program = `
  const { isTerminal, wantsColour } = await import(${JSON.stringify(module_)});
  console.log([isTerminal(0), isTerminal(1), isTerminal(2), wantsColour(1, {}), wantsColour(1, { NO_COLOR: "1" }), wantsColour(1, { TERM: "dumb" })].join(" "));
`;

test("a terminal is one", () => {
  // script(1) gives a command a pseudo-terminal.
  const command = `'${process.execPath}' -e '${program}'`;
  const { stdout } = Bun.spawnSync(["script", "-qec", command, "/dev/null"], { stdin: "ignore" });
  expect(stdout.toString().trim()).toBe("true true true true false false");
});

test("pipes, files, /dev/null and closed descriptors are none", () => {
  const out = Bun.spawnSync([process.execPath, "-e", program], { stdin: "ignore", stderr: "ignore" });
  expect(out.stdout.toString()).toBe("false false false false false false\n");
  const closed = Bun.spawnSync(["sh", "-c", `exec '${process.execPath}' -e '${program}' <&- 2>&-`]);
  expect(closed.stdout.toString()).toBe("false false false false false false\n");
});

test("an empty NO_COLOR is none, and without a terminal there is no colour anyway", () => {
  expect(wantsColour(1, { NO_COLOR: "" })).toBe(wantsColour(1, {}));
});

test("control characters are shown, but for tabs and ends of lines", () => {
  expect(visible("a\tb\nc\r\x1b[31m\x07\x7f\x9b é")).toBe("a\tb\nc\\x0d\\x1b[31m\\x07\\x7f\\x9b é");
});

test("without colour, text is left alone", () => {
  expect(makeStyle(false).red("x")).toBe("x");
  expect(makeStyle(true).red("x")).toBe("\x1b[31mx\x1b[39m");
});
