/** ChainIDs: the names of layers together with all below them (image-spec config.md "Layer ChainID"). */
import type { Digest } from "./descriptor.ts";
import { digestOf } from "./digest.ts";

/** One ChainID for each DiffID, base first: ChainID(L₀…Lₙ) = SHA256(ChainID(L₀…Lₙ₋₁) + " " + DiffID(Lₙ)). */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  let below: Digest | undefined;
  for (const diffId of diffIds) {
    below = below === undefined ? diffId : digestOf(`${below} ${diffId}`);
    chain.push(below);
  }
  return chain;
}
