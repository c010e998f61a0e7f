/** A store in a temporary directory, and images put into it without a pull. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, silentContext } from "../../src/core/context.ts";
import { chainIds } from "../../src/oci/chain-id.ts";
import { type Descriptor, type Digest, mediaTypes } from "../../src/oci/descriptor.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { formatReference, parseReference } from "../../src/oci/reference.ts";
import { putBlob } from "../../src/store/blobs.ts";
import { editEntries, withNamed } from "../../src/store/index-file.ts";
import { beginLayer, finishLayer } from "../../src/store/layers.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/types.ts";

export interface TemporaryStore extends Disposable {
  readonly store: Store;
  readonly context: Context;
  /** What was said with `log.warn`. */
  readonly warnings: string[];
}

export function temporaryStore(): TemporaryStore {
  const root = mkdtempSync(join(tmpdir(), "devbox-store-"));
  const warnings: string[] = [];
  const silent = silentContext();
  const context: Context = { ...silent, log: { ...silent.log, warn: (message) => warnings.push(message) } };
  return {
    store: openStore({ DEVBOX_STORE: join(root, "store") }),
    context,
    warnings,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

export interface PutImage {
  readonly manifest: Descriptor;
  readonly config: Digest;
  readonly layerBlobs: readonly Digest[];
  readonly chainIds: readonly Digest[];
}

/** A whole image: each text stands for a layer with one file, whose blob is the text itself. */
export async function putImage(
  { store, context }: Pick<TemporaryStore, "store" | "context">,
  name: string,
  layers: readonly string[],
  config: object = {},
): Promise<PutImage> {
  const put = (bytes: Uint8Array, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    putBlob(store, digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const json = (value: object, mediaType: string) => put(new TextEncoder().encode(JSON.stringify(value)), mediaType);
  const blobs = layers.map((text) => put(new TextEncoder().encode(text), mediaTypes.ociLayer));
  const diffIds = blobs.map(({ digest }) => digest);
  const chain = chainIds(diffIds);
  for (const [index, chainId] of chain.entries()) {
    const build = beginLayer(store, chainId);
    writeFileSync(join(build.tree, "file"), layers[index] ?? "");
    const diffId = diffIds[index] ?? chainId;
    try {
      finishLayer(store, build, { chainId, diffId, bytes: 100, entries: 1, created: "2024-01-01T00:00:00Z" });
    } catch {
      rmSync(build.directory, { recursive: true });
    }
  }
  const rootfs = { type: "layers", diff_ids: diffIds };
  const document = { architecture: "amd64", os: "linux", ...config, rootfs };
  const configDescriptor = json(document, mediaTypes.ociConfig);
  const manifestDocument = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: configDescriptor,
    layers: blobs,
  };
  const manifest = json(manifestDocument, mediaTypes.ociManifest);
  const entry = { name: formatReference(parseReference(name)), topDigest: manifest.digest, descriptor: manifest };
  await editEntries(context, store, (entries) => withNamed(entries, entry));
  return { manifest, config: configDescriptor.digest, layerBlobs: diffIds, chainIds: chain };
}
