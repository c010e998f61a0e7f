/** One of skopeo's directories holds one image: who copies there at the same time waits. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSkopeoDirectoryDestination } from "../../../src/image/destinations/skopeo-directory-destination.ts";
import { mediaTypes } from "../../../src/oci/descriptor.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { temporaryStore } from "../../helpers/temporary-store.ts";

const root = mkdtempSync(join(tmpdir(), "skopeo-"));
const { context, ...temporary } = temporaryStore();
afterAll(() => {
  rmSync(root, { recursive: true });
  temporary[Symbol.dispose]();
});

const manifest = (content: string) => {
  const bytes = Buffer.from(content);
  return { descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length }, bytes };
};

test("the second of two copies begins when the first has ended", async () => {
  const directory = join(root, "shared");
  const first = await openSkopeoDirectoryDestination(context, directory, "dir:shared");
  const waits = Promise.withResolvers<string>();
  const told = { ...context, log: { ...context.log, info: waits.resolve } };
  const second = openSkopeoDirectoryDestination(told, directory, "dir:shared");
  expect(await waits.promise).toBe("waiting for another devbox that copies to dir:shared");
  await first.putManifest(manifest("listed"), undefined);
  await first.putManifest(manifest("first"), []);
  await first.commit();
  await first[Symbol.asyncDispose]();
  await using last = await second;
  await last.putManifest(manifest("second"), []);
  await last.commit();
  expect(readdirSync(directory).sort()).toEqual(["manifest.json", "version"]);
});
