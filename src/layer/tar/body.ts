/** What follows a header: extended headers, which are collected, or data, which goes to the sink; then padding. */
import { mergeGlobals } from "./extensions.ts";
import { blockSize, type RawHeader } from "./header.ts";
import { invalidArchive } from "./invalid.ts";
import { parsePax } from "./pax.ts";
import type { State } from "./state.ts";

/** Extended headers beyond this are refused: a path is 4 KiB, all attributes of a file 64 KiB each. */
export const maxExtensionBytes = 1 << 20;

export function beginExtension(state: State, header: RawHeader, offset: number): void {
  if (!(header.size >= 0 && header.size <= maxExtensionBytes)) {
    throw invalidArchive(`an extended header of ${header.size} bytes is more than ${maxExtensionBytes}`, offset);
  }
  state.phase = { kind: "extension", flag: header.flag, size: header.size, parts: [] };
  expectBody(state, header.size);
}

/** `size` bytes and their padding to a whole block come next. */
export function expectBody(state: State, size: number): void {
  state.left = size;
  state.padding = (blockSize - (size % blockSize)) % blockSize;
  if (size === 0) endBody(state);
}

export function skip(state: State, size: number): void {
  state.phase = { kind: "skip" };
  expectBody(state, size);
}

/** What was collected is complete, or the data and its padding are over: a header comes next. */
export function endBody(state: State): void {
  const { phase } = state;
  state.phase = { kind: "header" };
  if (phase.kind !== "extension") return;
  const data = phase.parts.length === 1 && phase.parts[0] ? phase.parts[0] : Buffer.concat(phase.parts);
  const start = state.offset - blockSize * Math.ceil(phase.size / blockSize);
  const text = (): string => data.toString("latin1", 0, data.indexOf(0) === -1 ? data.length : data.indexOf(0));
  if (phase.flag === "g") state.globals = mergeGlobals(state.globals, parsePax(data, start));
  else if (phase.flag === "L") state.extensions.longPath = text();
  else if (phase.flag === "K") state.extensions.longLink = text();
  else state.extensions.pax = parsePax(data, start);
}
