/** Questions on the terminal: a line, or a password that nobody sees. */
import { read } from "node:fs";
import { promisify } from "node:util";
import { enterRawMode } from "../../box/terminal.ts";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { writeBytes, writeError } from "./output.ts";

// What terminals send for the keys (ASCII), and termios(3) takes for them.
const [interrupt, endOfFile, backspace, killLine, del] = [3, 4, 8, 21, 127];
const [lineFeed, carriageReturn, space] = [10, 13, 32];
/** Back, a space over the character, back. */
const rubOut = Buffer.from("\b \b");

/**
 * Ask, on stderr, and read a line from the terminal of stdin. The terminal is raw meanwhile, so that a line being typed can
 * be left by Ctrl-C and signals, which a read of a whole line would keep waiting; what little editing people expect is
 * done here.
 * @param hidden nothing of the answer is shown
 * @returns undefined: the input ended (Ctrl-D)
 * @throws DevboxError USAGE where stdin is no terminal; INTERRUPTED
 */
export async function askLine(
  { signal }: Context,
  question: string,
  { hidden }: { readonly hidden: boolean },
): Promise<string | undefined> {
  const restore = enterRawMode();
  if (restore === undefined) {
    throw new DevboxError("USAGE", { step: `ask for ${question}`, because: "stdin is not a terminal" });
  }
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(interrupted(question));
  aborted.promise.catch(() => {});
  signal.addEventListener("abort", abort, { once: true });
  try {
    writeError(question);
    const line: number[] = [];
    for (;;) {
      for (const byte of await Promise.race([readSome(), aborted.promise])) {
        if (byte === interrupt) throw interrupted(question);
        if (byte === lineFeed || byte === carriageReturn) return decode(line);
        if (byte === endOfFile && line.length === 0) return undefined;
        edit(line, byte, hidden);
      }
    }
  } finally {
    signal.removeEventListener("abort", abort);
    restore();
    writeError("\n");
  }
}

/** What is typed, as it comes; the end of the input as Ctrl-D. */
async function readSome(): Promise<Uint8Array> {
  const buffer = new Uint8Array(1024);
  const { bytesRead } = await promisify(read)(0, buffer, 0, buffer.byteLength, null);
  return bytesRead === 0 ? Uint8Array.of(endOfFile) : buffer.subarray(0, bytesRead);
}

function edit(line: number[], byte: number, hidden: boolean): void {
  const show = (bytes: Uint8Array): void => {
    if (!hidden) writeBytes(2, bytes);
  };
  if (byte === backspace || byte === del) {
    if (removeCharacter(line)) show(rubOut);
  } else if (byte === killLine) {
    while (removeCharacter(line)) show(rubOut);
  } else if (byte >= space) {
    line.push(byte);
    show(Uint8Array.of(byte));
  }
}

/** The last character: a byte that begins one in UTF-8, and those that follow it. */
function removeCharacter(line: number[]): boolean {
  let removed = line.pop();
  const isAny = removed !== undefined;
  while (removed !== undefined && (removed & 0xc0) === 0x80) removed = line.pop();
  return isAny;
}

function decode(line: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(line));
}

function interrupted(question: string): DevboxError {
  return new DevboxError("INTERRUPTED", { step: `ask for ${question.replace(/[: ]+$/, "")}`, because: "interrupted" });
}
