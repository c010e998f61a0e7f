/**
 * A tar archive, chunk by chunk, as a sequence of entries with their data. It keeps at most one extended header in memory,
 * never looks at the file system, and refuses what is not an archive with the byte where it stopped making sense.
 */
import { DevboxError } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import type { EntryType, Segment, SparseMap, TarEntry } from "./entry.ts";
import { type Described, describeEntry, mergeGlobals, noExtensions, pathOf, sizeOf } from "./extensions.ts";
import { blockSize, isZeroBlock, type RawHeader, readHeader } from "./header.ts";
import { invalidArchive } from "./invalid.ts";
import { type PaxRecord, parsePax } from "./pax.ts";
import {
  checkedMap,
  createMapReader,
  type MapReader,
  type PaxSparse,
  paxSparse,
  readGnuRealSize,
  readGnuSegments,
} from "./sparse.ts";

/** Extended headers beyond this are refused: a path is 4 KiB, all attributes of a file 64 KiB each. */
export const maxExtensionBytes = 1 << 20;

export interface TarSink {
  begin(entry: TarEntry): void;
  /** The next data of the entry, `chunk[start, end)`; valid during the call only. */
  data(chunk: Buffer, start: number, end: number): void;
  /** All data of the entry has come. */
  end(): void;
}

export interface TarReader {
  push(chunk: Buffer): void;
  /** The stream is at its end. Throws LAYER_TRUNCATED if the archive is not. */
  finish(): void;
}

/** Where in the archive the reader is. */
type Phase =
  | { readonly kind: "header" }
  /** One zero block seen: a second one ends the archive. */
  | { readonly kind: "half-ended" }
  | { readonly kind: "ended" }
  | { readonly kind: "extension"; readonly flag: string; readonly size: number; readonly parts: Buffer[] }
  | {
      readonly kind: "gnu-sparse";
      readonly described: Described;
      readonly segments: Segment[];
      readonly realSize: number;
    }
  | {
      readonly kind: "sparse-map";
      readonly described: Described;
      readonly map: MapReader;
      readonly realSize: number;
      mapBytes: number;
    }
  | { readonly kind: "data" | "skip" };

interface State {
  phase: Phase;
  /** Bytes of extension, data or skip still to come, then padding. */
  left: number;
  padding: number;
  /** Bytes of the archive consumed. */
  offset: number;
  readonly block: Buffer;
  blockFill: number;
  extensions: ReturnType<typeof noExtensions>;
  globals: PaxRecord[];
  /** Name of the entry under way, for errors. */
  current: string;
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

function beginExtension(state: State, header: RawHeader, offset: number): void {
  if (!(header.size >= 0 && header.size <= maxExtensionBytes)) {
    throw invalidArchive(`an extended header of ${header.size} bytes is more than ${maxExtensionBytes}`, offset);
  }
  state.phase = { kind: "extension", flag: header.flag, size: header.size, parts: [] };
  expectBody(state, header.size);
}

/** `size` bytes and their padding to a whole block come next. */
function expectBody(state: State, size: number): void {
  state.left = size;
  state.padding = (blockSize - (size % blockSize)) % blockSize;
  if (size === 0) endBody(state);
}

function skip(state: State, size: number): void {
  state.phase = { kind: "skip" };
  expectBody(state, size);
}

/** What was collected is complete, or the data and its padding are over: a header comes next. */
function endBody(state: State): void {
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

function beginFile(state: State, sink: TarSink, described: Described, block: Buffer): void {
  const { header, extensions } = described;
  if (header.flag === "S" && header.gnu) {
    const { segments, more } = readGnuSegments(block, "header");
    const realSize = readGnuRealSize(block);
    if (more) state.phase = { kind: "gnu-sparse", described, segments, realSize };
    else emitSparse(state, sink, described, { segments, realSize }, sizeOf(described));
    return;
  }
  const sparse = paxSparse(extensions.pax);
  if (sparse === undefined) emitFile(state, sink, described, sizeOf(described), undefined);
  else beginPaxSparse(state, sink, withPath(described, sparse.name), sparse);
}

/** Sparse files of the pax formats go under a made-up name, for tools that do not know them. */
function withPath(described: Described, name: ByteString | undefined): Described {
  if (name === undefined) return described;
  const pax = [...described.extensions.pax, { key: "path", value: name }];
  return { ...described, extensions: { ...described.extensions, pax } };
}

function beginPaxSparse(state: State, sink: TarSink, described: Described, sparse: PaxSparse): void {
  const { segments, realSize } = sparse;
  if (segments !== undefined) emitSparse(state, sink, described, { segments, realSize }, sizeOf(described));
  else state.phase = { kind: "sparse-map", described, map: createMapReader(), realSize, mapBytes: 0 };
}

function onGnuSparse(state: State, sink: TarSink, phase: Extract<Phase, { kind: "gnu-sparse" }>, block: Buffer): void {
  const { described, segments, realSize } = phase;
  const next = readGnuSegments(block, "extension");
  segments.push(...next.segments);
  if (segments.length * 24 > maxExtensionBytes) throw badMap(described);
  if (!next.more) emitSparse(state, sink, described, { segments, realSize }, sizeOf(described));
}

function onSparseMap(state: State, sink: TarSink, phase: Extract<Phase, { kind: "sparse-map" }>, block: Buffer): void {
  const { described, map, realSize } = phase;
  phase.mapBytes += blockSize;
  const result = map.push(block);
  if (result === "invalid" || phase.mapBytes > Math.min(maxExtensionBytes, sizeOf(described))) throw badMap(described);
  if (result) {
    emitSparse(state, sink, described, { segments: map.segments(), realSize }, sizeOf(described) - phase.mapBytes);
  }
}

function emitSparse(state: State, sink: TarSink, described: Described, map: SparseMap, dataSize: number): void {
  const sparse = checkedMap(map.segments, map.realSize, dataSize);
  if (sparse === undefined) throw badMap(described);
  emitFile(state, sink, described, dataSize, sparse);
}

function badMap(described: Described): DevboxError {
  return invalidArchive("its map of sparse data is not valid", described.offset, display(pathOf(described)));
}

function emitFile(
  state: State,
  sink: TarSink,
  described: Described,
  dataSize: number,
  sparse: TarEntry["sparse"],
): void {
  sink.begin(describeEntry(described, { type: "file", path: pathOf(described), dataSize, sparse }));
  state.phase = { kind: "data" };
  if (dataSize === 0) sink.end();
  expectBody(state, dataSize);
}

/** An archive may end without its two zero blocks, as GNU tar and Go accept, but not within an entry. */
function finish(state: State): void {
  const { phase, extensions } = state;
  const between =
    (phase.kind === "header" && state.blockFill === 0) || phase.kind === "half-ended" || phase.kind === "ended";
  const dangling = extensions.pax.length > 0 || extensions.longPath !== undefined || extensions.longLink !== undefined;
  if (between && !dangling) return;
  const step = state.current === "" ? "read the archive" : `in or after ${state.current}`;
  throw new DevboxError("LAYER_TRUNCATED", { step, because: `the archive ends early, after ${state.offset} bytes` });
}
