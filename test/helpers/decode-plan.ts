/** Reads the bytes of an encoded plan back as launcher.c does: the other half of encode∘decode. */
import { firstNamedFd, wire } from "../../ffi/launcher/format.ts";

export interface DecodedArgument {
  readonly tag: "immediate" | "data" | "slot" | "negated slot";
  readonly value: bigint;
}

export interface DecodedOp {
  readonly kind: number;
  readonly flags: number;
  readonly number: number;
  readonly origin: number;
  readonly save: number | undefined;
  readonly onZero: number | undefined;
  readonly onError: number | undefined;
  readonly tolerated: readonly number[];
  readonly args: readonly DecodedArgument[];
}

export interface DecodedPlan {
  readonly ops: readonly DecodedOp[];
  /** The data with every pointer as the offset of what it points to. */
  readonly data: Uint8Array;
  readonly relocations: readonly { readonly at: number; readonly to: number }[];
}

const tags = ["immediate", "data", "slot", "negated slot"] as const;

export function decodePlan(bytes: Uint8Array): DecodedPlan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number): number => view.getUint32(at, true);
  if (word(0) !== wire.MAGIC || word(4) !== wire.VERSION || word(8) !== bytes.length) throw new Error("not a plan");
  const [opCount, opOffset, dataOffset, dataSize, relocationOffset, relocationCount] = [3, 4, 5, 6, 7, 8].map((i) =>
    word(i * 4),
  ) as [number, number, number, number, number, number];
  return {
    ops: Array.from({ length: opCount }, (_, i) => decodeOp(view, opOffset + i * wire.OP_BYTES)),
    data: bytes.slice(dataOffset, dataOffset + dataSize),
    relocations: Array.from({ length: relocationCount }, (_, i) => {
      const at = relocationOffset + i * wire.RELOCATION_BYTES;
      return { at: word(at), to: word(at + 4) };
    }),
  };
}

function decodeOp(view: DataView, at: number): DecodedOp {
  const index = (offset: number): number | undefined => {
    const value = view.getUint16(at + offset, true);
    return value === wire.NONE ? undefined : value;
  };
  return {
    kind: view.getUint16(at, true),
    flags: view.getUint16(at + 2, true),
    number: view.getUint32(at + 4, true),
    origin: view.getUint32(at + 8, true),
    save: index(12),
    onZero: index(14),
    onError: index(16),
    tolerated: Array.from({ length: view.getUint8(at + 24) }, (_, i) => view.getUint16(at + 32 + i * 2, true)),
    args: Array.from({ length: wire.MAX_ARGS }, (_, i) => ({
      tag: tags[view.getUint8(at + 18 + i)] ?? "immediate",
      value: view.getBigUint64(at + 48 + i * 8, true),
    })),
  };
}

/** The descriptor of a name that is `position`-th in `plan.fds`. */
export function namedFd(position: number): bigint {
  return BigInt(firstNamedFd + position);
}
