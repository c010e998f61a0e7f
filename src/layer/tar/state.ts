/** What the reader of an archive knows between two chunks, and whom it tells. */
import type { Segment, TarEntry } from "./entry.ts";
import type { Described, Extensions } from "./extensions.ts";
import type { PaxRecord } from "./pax.ts";
import type { MapReader } from "./sparse.ts";

export interface TarSink {
  begin(entry: TarEntry): void;
  /** The next data of the entry, `chunk[start, end)`; valid during the call only. */
  data(chunk: Buffer, start: number, end: number): void;
  /** All data of the entry has come. */
  end(): void;
}

/** Where in the archive the reader is. */
export type Phase =
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

export interface State {
  phase: Phase;
  /** Bytes of extension, data or skip still to come, then padding. */
  left: number;
  padding: number;
  /** Bytes of the archive consumed. */
  offset: number;
  readonly block: Buffer;
  blockFill: number;
  extensions: Extensions;
  globals: PaxRecord[];
  /** Name of the entry under way, for errors. */
  current: string;
}
