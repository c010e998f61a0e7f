import { expect, test } from "bun:test";
import { addressBytes } from "../../../src/sandbox/ip-address.ts";

test.each([
  ["192.0.2.7", 2, [192, 0, 2, 7]],
  ["2001:db8::7", 10, [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]],
  ["::1", 10, [...new Array<number>(15).fill(0), 1]],
  ["fe80::", 10, [0xfe, 0x80, ...new Array<number>(14).fill(0)]],
  ["1:2:3:4:5:6:7:8", 10, [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
])("%s", (address, family, bytes) => {
  expect(addressBytes(address)).toEqual({ family, bytes: new Uint8Array(bytes) });
});
