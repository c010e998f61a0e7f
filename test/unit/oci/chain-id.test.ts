import { expect, test } from "bun:test";
import { chainIds } from "../../../src/oci/chain-id.ts";
import { digestOf } from "../../../src/oci/digest.ts";

test("each is the hash of the chain below and its own diffID", () => {
  const [a, b, c] = [digestOf("a"), digestOf("b"), digestOf("c")];
  const ab = digestOf(`${a} ${b}`);
  expect(chainIds([])).toEqual([]);
  expect(chainIds([a, b, c])).toEqual([a, ab, digestOf(`${ab} ${c}`)]);
});

test("equal layers at different heights differ", () => {
  const a = digestOf("a");
  expect(new Set(chainIds([a, a, a])).size).toBe(3);
});
