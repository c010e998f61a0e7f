/**
 * A tar archive, chunk by chunk, as a sequence of entries with their data. It keeps at most one extended header in memory,
 * never looks at the file system, and refuses what is not an archive with the byte where it stopped making sense.
 */
import { DevboxError } from "../../core/errors.ts";
import { display } from "../byte-string.ts";
import { beginExtension, endBody, skip } from "./body.ts";
import type { EntryType } from "./entry.ts";
import { type Described, describeEntry, noExtensions, pathOf, sizeOf } from "./extensions.ts";
import { beginFile, onGnuSparse, onSparseMap } from "./file-entry.ts";
import { blockSize, isZeroBlock, readHeader } from "./header.ts";
import { invalidArchive } from "./invalid.ts";
import type { State, TarSink } from "./state.ts";

export interface TarReader {
  push(chunk: Buffer): void;
  /** The stream is at its end. Throws LAYER_TRUNCATED if the archive is not. */
  finish(): void;
}

export function createTarReader(sink: TarSink): TarReader {
  const state: State = {
    phase: { kind: "header" },
    left: 0,
    padding: 0,
    offset: 0,
    block: Buffer.alloc(blockSize),
    blockFill: 0,
    extensions: noExtensions(),
    globals: [],
    current: "",
  };
  return {
    push: (chunk) => {
      for (let at = 0; at < chunk.length && state.phase.kind !== "ended"; ) at = step(state, sink, chunk, at);
    },
    finish: () => finish(state),
  };
}

/** Consume some of the chunk; returns how far it got. */
function step(state: State, sink: TarSink, chunk: Buffer, at: number): number {
  const { phase } = state;
  const available = chunk.length - at;
  if (phase.kind === "extension" || phase.kind === "data" || phase.kind === "skip") {
    if (state.left > 0) {
      const taken = Math.min(state.left, available);
      if (phase.kind === "extension") phase.parts.push(Buffer.from(chunk.subarray(at, at + taken)));
      if (phase.kind === "data") sink.data(chunk, at, at + taken);
      state.left -= taken;
      state.offset += taken;
      if (state.left === 0 && phase.kind === "data") sink.end();
      if (state.left === 0 && state.padding === 0) endBody(state);
      return at + taken;
    }
    const taken = Math.min(state.padding, available);
    state.padding -= taken;
    state.offset += taken;
    if (state.padding === 0) endBody(state);
    return at + taken;
  }
  return takeBlock(state, sink, chunk, at);
}

/** Headers come in whole blocks, which may lie across two chunks. */
function takeBlock(state: State, sink: TarSink, chunk: Buffer, at: number): number {
  if (state.blockFill === 0 && chunk.length - at >= blockSize) {
    const block = chunk.subarray(at, at + blockSize);
    onBlock(state, sink, block);
    return at + blockSize;
  }
  const taken = Math.min(blockSize - state.blockFill, chunk.length - at);
  chunk.copy(state.block, state.blockFill, at, at + taken);
  state.blockFill += taken;
  if (state.blockFill === blockSize) {
    state.blockFill = 0;
    onBlock(state, sink, state.block);
  }
  return at + taken;
}

function onBlock(state: State, sink: TarSink, block: Buffer): void {
  const { phase, offset } = state;
  state.offset += blockSize;
  if (phase.kind === "gnu-sparse") onGnuSparse(state, sink, phase, block);
  else if (phase.kind === "sparse-map") onSparseMap(state, sink, phase, block);
  else if (isZeroBlock(block)) state.phase = { kind: phase.kind === "half-ended" ? "ended" : "half-ended" };
  else if (phase.kind === "half-ended") throw invalidArchive("a zero block stands between entries", offset);
  else onHeader(state, sink, block, offset);
}

function onHeader(state: State, sink: TarSink, block: Buffer, offset: number): void {
  const header = readHeader(block, offset);
  // Solaris wrote its pax headers with X (star(5)).
  if (header.flag === "x" || header.flag === "X" || header.flag === "g" || header.flag === "L" || header.flag === "K") {
    beginExtension(state, header, offset);
    return;
  }
  const described: Described = { header, extensions: state.extensions, globals: state.globals, offset };
  state.extensions = noExtensions();
  state.current = display(pathOf(described));
  // V names a volume (GNU tar manual "Including a Label in the Archive"): nothing to extract.
  if (header.flag === "V") skip(state, sizeOf(described));
  else if (typeOf(described) === "file") beginFile(state, sink, described, block);
  else onBodiless(state, sink, described);
}

/**
 * Only files have data, whatever the size field says (archive/tar of Go, with which other tools read layers, does so too);
 * v7 directories are the exception: their flag says file.
 */
function onBodiless(state: State, sink: TarSink, described: Described): void {
  const body = { type: typeOf(described), path: pathOf(described), dataSize: 0, sparse: undefined };
  sink.begin(describeEntry(described, body));
  sink.end();
  skip(state, described.header.flag === "\0" ? sizeOf(described) : 0);
}

const typesByFlag: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};

function typeOf(described: Described): EntryType {
  const { flag } = described.header;
  // v7 has no flag for directories: a slash at the end says it.
  if (flag === "\0") return pathOf(described).endsWith("/") ? "directory" : "file";
  const type = typesByFlag[flag];
  if (type !== undefined) return type;
  throw invalidArchive(
    `entries of type "${display(flag)}" are not known`,
    described.offset,
    display(pathOf(described)),
  );
}

/**
 * An archive may end without its two zero blocks, as GNU tar and Go accept, but not within an entry. The padding of the last
 * one belongs to neither: umoci-insert(1) leaves it out, and Go reads such layers.
 */
function finish(state: State): void {
  const { phase, extensions } = state;
  const isPaddingLeft = (phase.kind === "data" || phase.kind === "skip") && state.left === 0;
  const between =
    (phase.kind === "header" && state.blockFill === 0) ||
    phase.kind === "half-ended" ||
    phase.kind === "ended" ||
    isPaddingLeft;
  const dangling = extensions.pax.length > 0 || extensions.longPath !== undefined || extensions.longLink !== undefined;
  if (between && !dangling) return;
  const step = state.current === "" ? "read the archive" : `in or after ${state.current}`;
  throw new DevboxError("LAYER_TRUNCATED", { step, because: `the archive ends early, after ${state.offset} bytes` });
}
