import { expect, test } from "bun:test";
import { openFeed } from "../../../src/image/pull/blob-feed.ts";
import { maxUncompressedBytes } from "../../../src/image/workers/apply-layer.ts";
import { createSemaphore } from "../../../src/image/workers/semaphore.ts";

test("whoever watches a feed hears what is there and what comes, until disposed", () => {
  const { feed, advance } = openFeed("/blob", 10, 3, Promise.resolve());
  const heard: number[] = [];
  const watch = feed.watch((bytes) => heard.push(bytes));
  advance(7);
  watch[Symbol.dispose]();
  advance(10);
  expect(heard).toEqual([3, 7]);
  expect(feed.availableBytes).toBe(10);
});

test("a semaphore lets in as many as it has places, in order, whatever fails", async () => {
  const semaphore = createSemaphore(2);
  const order: number[] = [];
  let inside = 0;
  let most = 0;
  const task = (index: number) =>
    semaphore.run(async () => {
      inside += 1;
      most = Math.max(most, inside);
      order.push(index);
      await Promise.resolve();
      inside -= 1;
      if (index % 3 === 0) throw new Error(String(index));
    });
  const results = await Promise.allSettled(Array.from({ length: 9 }, (_, index) => task(index)));
  expect(most).toBe(2);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(results.filter(({ status }) => status === "rejected")).toHaveLength(3);
});

test("a plain layer may be as large as it says, a packed one far larger, but not without end", () => {
  expect(maxUncompressedBytes(1000, "none")).toBe(1000);
  expect(maxUncompressedBytes(1000, "gzip")).toBe(4 * 2 ** 30);
  expect(maxUncompressedBytes(2 ** 30, "zstd")).toBe(200 * 2 ** 30);
});
