import { afterAll, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGate, readBlob } from "../../../src/layer/blob-source.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-blob-"));
afterAll(() => rmSync(directory, { recursive: true }));

function newFile(content: string): { readonly path: string; readonly fd: number } {
  const path = join(directory, crypto.randomUUID());
  writeFileSync(path, content);
  return { path, fd: openSync(path, "r") };
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += chunk;
  return text;
}

test("reads no further than is said to be there, though the file has more", async () => {
  const { fd } = newFile("abcdef-not-yet");
  const gate = createGate();
  const chunks = readBlob(fd, 6, gate);
  gate.advance(2);
  expect(String((await chunks.next()).value)).toBe("ab");
  gate.advance(1);
  const next = chunks.next();
  gate.advance(5);
  expect(String((await next).value)).toBe("cde");
  gate.advance(100);
  expect(await textOf(chunks)).toBe("f");
});

test("waits for a file that grows", async () => {
  const { path, fd } = newFile("");
  const gate = createGate();
  const all = textOf(readBlob(fd, 300_000, gate));
  for (let size = 1; size <= 3; size++) {
    appendFileSync(path, "x".repeat(100_000));
    gate.advance(size * 100_000);
    await Bun.sleep(0);
  }
  expect(await all).toBe("x".repeat(300_000));
});

test("giving up ends the waiting, for good", async () => {
  const gate = createGate();
  const waiting = textOf(readBlob(newFile("").fd, 1, gate));
  gate.abort();
  await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
  gate.advance(1);
  await expect(gate.beyond(0)).rejects.toMatchObject({ code: "INTERRUPTED" });
});

test("a file shorter than what was said", async () => {
  const gate = createGate();
  gate.advance(10);
  await expect(textOf(readBlob(newFile("short").fd, 10, gate))).rejects.toMatchObject({ code: "LAYER_TRUNCATED" });
});
