import { expect, test } from "bun:test";
import { rawState } from "../../../ffi/terminal.ts";

test("raw mode changes what cfmakeraw changes, and leaves the given state alone", () => {
  const termios = new Uint8Array(36).fill(0xff);
  const raw = rawState({ termios }).termios;
  const words = new DataView(raw.buffer);
  // termios(3): IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON | OPOST | CSIZE PARENB, CS8 | ECHO ECHONL ICANON ISIG IEXTEN
  const cleared = [0o2753, 0o1, 0o400, 0o100113];
  expect(cleared.map((_, i) => words.getUint32(i * 4, true) ^ 0xffff_ffff)).toEqual(cleared);
  // VMIN 1, VTIME 0
  expect([raw[17 + 6], raw[17 + 5]]).toEqual([1, 0]);
  expect(termios).toEqual(new Uint8Array(36).fill(0xff));
});
