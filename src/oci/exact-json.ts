/** JSON whose integers have up to 64 bits, as resource limits and the arguments of system calls do. */

/** JSON.parse, but integers that no JavaScript number holds (2^53 and above) become bigints. */
export function decodeExactly(text: string): unknown {
  // Nearly every document has none, and a reviver visits each value.
  return /\d{16}/.test(text) ? JSON.parse(text, reviveInteger) : JSON.parse(text);
}

/** `context.source` (ECMAScript, "JSON.parse source text access") is what stands in the document. */
function reviveInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}
