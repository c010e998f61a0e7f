/** Reading what is sent, when the reader before was left in the middle. */
import { expect, test } from "bun:test";
import { checkContent } from "../../../src/registry/push/upload-content.ts";
import { patternBytes, readStream } from "../../helpers/registry-client.ts";
import { contentOf } from "../../helpers/upload-content.ts";

const bytes = patternBytes(1000);
const { descriptor } = contentOf(bytes);
const nothing = (): void => {};

/** A source whose first reader waits at byte 400 until `fail` is called, and then throws. */
function waitingSource() {
  const gate = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  let readers = 0;
  async function* read(offset: number, mayWait: boolean): AsyncGenerator<Uint8Array> {
    for (let at = offset; at < bytes.byteLength; at += 100) {
      if (mayWait && at === 400) await gate.promise.finally(left.resolve);
      yield bytes.subarray(at, at + 100);
    }
  }
  const open = async (offset: number) => ({ stream: read(offset, readers++ === 0), offset });
  return { descriptor, open, fail: () => gate.reject(new Error("the disk is gone")), left: left.promise };
}

test("a reader that waits and fails after it was given up says nothing of the content", async () => {
  const source = waitingSource();
  await using content = checkContent(source, "push");
  const first = content.part(0, 1000, nothing).open()[Symbol.asyncIterator]();
  for (let count = 0; count < 4; count++) await first.next();
  const waiting = first.next();
  // Where it waits, exactly: a second reader on the same source would take the bytes that the first one gets.
  expect(await readStream(content.part(400, 1000, nothing).open())).toEqual(Buffer.from(bytes.subarray(400)));
  source.fail();
  await expect(waiting).rejects.toThrow("the disk is gone");
  await source.left;
  expect(content.failure).toBeUndefined();
  content.verify();
});

test("what the reader in use throws does", async () => {
  const source = waitingSource();
  await using content = checkContent(source, "push");
  source.fail();
  await expect(readStream(content.part(0, 1000, nothing).open())).rejects.toThrow("the disk is gone");
  expect(content.failure?.error).toMatchObject({ message: "the disk is gone" });
});

test("parts one after the other are one reading, and what is read again counts once", async () => {
  const content = contentOf(bytes);
  await using checked = checkContent(content, "push");
  const pieces: Buffer[] = [];
  for (const [from, to] of [
    [0, 333],
    [333, 334],
    [334, 900],
    [100, 950],
    [950, 1000],
  ] as const) {
    pieces.push(await readStream(checked.part(from, to, nothing).open()));
    expect(pieces.at(-1)).toEqual(Buffer.from(bytes.subarray(from, to)));
  }
  expect(content.opened).toEqual([0, 100]);
  expect(checked.hashedBytes).toBe(1000);
  checked.verify();
});
