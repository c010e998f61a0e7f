/** Logs as the monitor writes them, read while they grow and are rotated. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogReader, type LogStart, openLog } from "../../../src/box/log-files.ts";
import { formatTime, type LogFrame, parseFrames, stampLines } from "../../../src/box/log-frames.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function frame(text: string, stream: "stdout" | "stderr" = "stdout", time = 0n): Uint8Array {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length, true);
  view.setUint32(4, stream === "stdout" ? 1 : 2, true);
  view.setBigInt64(8, time, true);
  bytes.set(body, 16);
  return bytes;
}

const write = (...texts: readonly string[]): void =>
  appendFileSync(join(directory, "log"), Buffer.concat(texts.map((text) => frame(text))));
/** As the monitor does when the file is full. */
function rotate(keep: number): void {
  for (let age = keep - 1; age > 0; age--) {
    try {
      renameSync(join(directory, age === 1 ? "log" : `log.${age - 1}`), join(directory, `log.${age}`));
    } catch {
      // It was not there yet.
    }
  }
}
function readAll(log: LogReader): string {
  let text = "";
  for (let frames = log.read(); frames.length > 0; frames = log.read())
    text += frames.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  return text;
}
function textFrom(start: LogStart): string {
  using log = openLog(directory, start);
  return readAll(log);
}

test("frames come out as they went in; the beginning of one waits for its rest", () => {
  const bytes = Buffer.concat([frame("a\n", "stdout", 5n), frame("b", "stderr", 7n)]);
  const { frames, consumed } = parseFrames(bytes.subarray(0, bytes.length - 1));
  expect(consumed).toBe(18);
  expect(frames).toHaveLength(1);
  expect(parseFrames(bytes).frames.map(({ stream, time }) => [stream, time])).toEqual([
    ["stdout", 5n],
    ["stderr", 7n],
  ]);
  expect(parseFrames(new Uint8Array(64).fill(0xff))).toEqual({ frames: [], consumed: 0 });
});

test("no log is an empty log, and is read as soon as it is there", () => {
  using log = openLog(directory, "oldest");
  expect(readAll(log)).toBe("");
  write("one\n");
  expect(readAll(log)).toBe("one\n");
  write("two\n");
  expect(readAll(log)).toBe("two\n");
});

test("a reader survives rotation, also several between two reads", () => {
  write("1\n");
  using log = openLog(directory, "oldest");
  expect(readAll(log)).toBe("1\n");
  write("2\n");
  rotate(4);
  write("3\n");
  rotate(4);
  write("4\n");
  expect(readAll(log)).toBe("2\n3\n4\n");
});

test("what was rotated away is lost, the rest is read", () => {
  write("1\n");
  using log = openLog(directory, "oldest");
  expect(readAll(log)).toBe("1\n");
  for (const text of ["2\n", "3\n", "4\n"]) {
    rotate(2);
    write(text);
  }
  expect(readAll(log)).toBe("3\n4\n");
});

test("a log is read from its oldest file on", () => {
  write("1\n");
  rotate(3);
  write("2\n");
  rotate(3);
  write("3\n");
  writeFileSync(join(directory, "other"), "x");
  expect(textFrom("oldest")).toBe("1\n2\n3\n");
  expect(textFrom("end")).toBe("");
});

test("the last lines are found within frames, and over files", () => {
  write("1\n2\n3\n", "4\n5\n");
  rotate(3);
  write("6\n7\n");
  expect(textFrom({ lastLines: 0 })).toBe("");
  expect(textFrom({ lastLines: 1 })).toBe("7\n");
  expect(textFrom({ lastLines: 3 })).toBe("5\n6\n7\n");
  expect(textFrom({ lastLines: 5 })).toBe("3\n4\n5\n6\n7\n");
  expect(textFrom({ lastLines: 100 })).toBe("1\n2\n3\n4\n5\n6\n7\n");
  write("prompt");
  expect(textFrom({ lastLines: 1 })).toBe("prompt");
  expect(textFrom({ lastLines: 2 })).toBe("7\nprompt");
});

test("a frame that is larger than what is read at once", () => {
  const text = "x".repeat(1_000_000);
  write(text, "\n", "end\n");
  expect(textFrom("oldest")).toBe(`${text}\nend\n`);
  expect(textFrom({ lastLines: 1 })).toBe("end\n");
});

test("times stand before lines, not before their parts; each stream has lines of its own", () => {
  const stamp = stampLines();
  const at = (text: string, stream: LogFrame["stream"], time: bigint): string =>
    new TextDecoder().decode(stamp({ stream, time, bytes: new TextEncoder().encode(text) }));
  const [one, two] = ["2026-01-02T03:04:05.000000006Z", "2026-01-02T03:04:05.123456789Z"];
  const start = 1_767_323_045_000_000_000n;
  expect(formatTime(start + 6n)).toBe(one);
  expect(at("a\nb", "stdout", start + 6n)).toBe(`${one} a\n${one} b`);
  expect(at("err\n", "stderr", start + 6n)).toBe(`${one} err\n`);
  expect(at("c\nd\n", "stdout", start + 123_456_789n)).toBe(`c\n${two} d\n`);
});
