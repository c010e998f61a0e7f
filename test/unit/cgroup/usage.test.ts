import { expect, test } from "bun:test";
import { parseTable } from "../../../src/cgroup/files.ts";
import { ioV1, ioV2 } from "../../../src/cgroup/usage.ts";

test("io.stat of version 2, lines without counters left out", () => {
  const text = "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n7:0 \nDefault 1";
  expect(ioV2(text)).toEqual([
    { major: 8, minor: 16, readBytes: 1_459_200, writeBytes: 314_773_504, reads: 192, writes: 353 },
    { major: 7, minor: 0, readBytes: 0, writeBytes: 0, reads: 0, writes: 0 },
  ]);
});

test("two files of version 1", () => {
  const bytes = "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Total 12288\n8:16 Read 1\nTotal 12289";
  const operations = "8:0 Read 1\n8:0 Write 2\nTotal 3";
  expect(ioV1(bytes, operations)).toEqual([
    { major: 8, minor: 0, readBytes: 4096, writeBytes: 8192, reads: 1, writes: 2 },
    { major: 8, minor: 16, readBytes: 1, writeBytes: 0, reads: 0, writes: 0 },
  ]);
});

test("tables leave out what is no number", () => {
  expect(parseTable("low 0\nmax max\noom_kill 3\n\nx")).toEqual({ low: 0, oom_kill: 3 });
});
