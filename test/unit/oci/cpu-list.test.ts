import { expect, test } from "bun:test";
import { parseCpuList } from "../../../src/oci/cpu-list.ts";

test.each([
  ["0", [0]],
  ["0-3,7", [0, 1, 2, 3, 7]],
  ["7,0-1,1", [0, 1, 7]],
  [" 1 - 2 , 4", [1, 2, 4]],
  ["", []],
  ["8191", [8191]],
] as const)("processors %s", (text, expected) => expect(parseCpuList(text)).toEqual([...expected]));

test.each(["a", "1-", "-1", "3-1", "1,,2", "8192", "0-99999999", "1.5", "0\n1"])("no list: %p", (text) => {
  expect(parseCpuList(text)).toBeUndefined();
});
