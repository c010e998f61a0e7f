/** Regular files: their data comes at once, or behind a map of where it belongs (sparse.ts). */
import type { DevboxError } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import { expectBody, maxExtensionBytes } from "./body.ts";
import type { SparseMap, TarEntry } from "./entry.ts";
import { type Described, describeEntry, pathOf, sizeOf } from "./extensions.ts";
import { blockSize } from "./header.ts";
import { invalidArchive } from "./invalid.ts";
import { checkedMap, createMapReader, type PaxSparse, paxSparse, readGnuRealSize, readGnuSegments } from "./sparse.ts";
import type { Phase, State, TarSink } from "./state.ts";

export function beginFile(state: State, sink: TarSink, described: Described, block: Buffer): void {
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

export function onGnuSparse(
  state: State,
  sink: TarSink,
  phase: Extract<Phase, { kind: "gnu-sparse" }>,
  block: Buffer,
): void {
  const { described, segments, realSize } = phase;
  const next = readGnuSegments(block, "extension");
  segments.push(...next.segments);
  if (segments.length * 24 > maxExtensionBytes) throw badMap(described);
  if (!next.more) emitSparse(state, sink, described, { segments, realSize }, sizeOf(described));
}

export function onSparseMap(
  state: State,
  sink: TarSink,
  phase: Extract<Phase, { kind: "sparse-map" }>,
  block: Buffer,
): void {
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
