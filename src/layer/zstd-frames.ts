/**
 * Follows the structure of a zstd stream, RFC 8878 section 3.1, without decompressing it: node:zlib ends quietly where the
 * input ends within a frame, and passes over anything that follows the last one. Either would be a layer cut short.
 */
import { DevboxError } from "../core/errors.ts";

const frameMagic = 0xfd2fb528;
/** The low four bits are free. */
const skippableMagic = 0x184d2a50;

/** A field of `size` bytes comes next; what it says decides what follows. */
type Field = "magic" | "skippable-size" | "descriptor" | "block";
const sizes: Readonly<Record<Field, number>> = { magic: 4, "skippable-size": 4, descriptor: 1, block: 3 };

interface State {
  field: Field;
  /** Of the field, little-endian, as far as it is read. */
  value: number;
  read: number;
  /** Bytes to pass over before the field. */
  skip: number;
  checksum: boolean;
  frames: number;
}

/** The same chunks. Throws LAYER_TRUNCATED or LAYER_INVALID at the end of a source that is not a whole number of frames. */
export async function* wholeFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const state: State = { field: "magic", value: 0, read: 0, skip: 0, checksum: false, frames: 0 };
  for await (const chunk of source) {
    follow(state, chunk);
    yield chunk;
  }
  if (state.frames > 0 && state.field === "magic" && state.read === 0 && state.skip === 0) return;
  throw new DevboxError("LAYER_TRUNCATED", { step: "decompress", because: "the zstd stream ends within a frame" });
}

function follow(state: State, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) {
    if (state.skip > 0) {
      const passed = Math.min(state.skip, chunk.length - at);
      state.skip -= passed;
      at += passed;
      continue;
    }
    state.value += (chunk[at] ?? 0) * 256 ** state.read;
    state.read++;
    at++;
    if (state.read === sizes[state.field]) interpret(state);
  }
}

function interpret(state: State): void {
  const { field, value } = state;
  state.value = 0;
  state.read = 0;
  if (field === "magic") onMagic(state, value);
  else if (field === "skippable-size") expect(state, "magic", value);
  else if (field === "descriptor") onDescriptor(state, value);
  else onBlock(state, value);
}

function expect(state: State, field: Field, skip = 0): void {
  state.field = field;
  state.skip = skip;
}

function onMagic(state: State, magic: number): void {
  state.frames++;
  if (magic === frameMagic) expect(state, "descriptor");
  else if (magic - (magic % 16) === skippableMagic) expect(state, "skippable-size");
  else throw new DevboxError("LAYER_INVALID", { step: "decompress", because: "this is no zstd frame" });
}

/** Section 3.1.1.1: the header's length follows from its first byte. */
function onDescriptor(state: State, descriptor: number): void {
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryId = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  state.checksum = (descriptor & 4) !== 0;
  expect(state, "block", (singleSegment ? 0 : 1) + dictionaryId + contentSize);
}

/** Section 3.1.1.2: last block or not, type, size; a block of type RLE has one byte whatever its size. */
function onBlock(state: State, header: number): void {
  const length = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
  if ((header & 1) === 0) expect(state, "block", length);
  else expect(state, "magic", length + (state.checksum ? 4 : 0));
}
