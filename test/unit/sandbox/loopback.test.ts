import { expect, test } from "bun:test";
import { loopbackOps } from "../../../src/sandbox/loopback.ts";

test("socket, flags, close, through one slot", () => {
  const ops = loopbackOps(9);
  expect(ops.map(({ call, save }) => [call, save])).toEqual([
    ["socket", 9],
    ["ioctl", undefined],
    ["close", undefined],
  ]);
  const [socket, request, ifreq] = ops[1]?.args ?? [];
  expect([socket, request]).toEqual([{ slot: 9 }, 0x8914]);
  const bytes = typeof ifreq === "object" && "data" in ifreq ? ifreq.data.bytes : new Uint8Array();
  expect(bytes).toHaveLength(40);
  expect(Buffer.from(bytes.subarray(0, 18)).toString("latin1")).toBe(`lo${"\0".repeat(14)}\x41\0`);
});
