/**
 * Writes an OCI image layout (image-spec image-layout.md) out of tar files with nothing but gzip and zstd: the images that
 * devbox is tested with share no code with it.
 */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";

export type Compression = "gzip" | "zstd";

export interface ImageRecipe {
  /** Tar files, base first. */
  readonly layers: readonly string[];
  readonly compression: Compression;
  /** The `config` object of the image config. */
  readonly config: object;
  /** GOARCH name; default: this machine's. */
  readonly architecture?: string;
}

export const machineArchitecture = process.arch === "arm64" ? "arm64" : "amd64";

/** Makes `directory` a layout with one image, tagged `latest`. */
export async function writeLayout(directory: string, recipe: ImageRecipe): Promise<void> {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const layers = [];
  const diffIds = [];
  for (const tar of recipe.layers) {
    diffIds.push(`sha256:${await sha256(tar)}`);
    layers.push(await addLayer(directory, tar, recipe.compression));
  }
  const config = addJson(directory, "application/vnd.oci.image.config.v1+json", {
    created: "2024-01-01T00:00:00Z",
    architecture: recipe.architecture ?? machineArchitecture,
    os: "linux",
    config: recipe.config,
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = addJson(directory, type, { schemaVersion: 2, mediaType: type, config, layers });
  writeIndex(directory, [{ ...manifest, annotations: { "org.opencontainers.image.ref.name": "latest" } }]);
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function addJson(directory: string, mediaType: string, value: object): Descriptor {
  const bytes = Buffer.from(JSON.stringify(value));
  const hex = createHash("sha256").update(bytes).digest("hex");
  writeFileSync(join(directory, "blobs/sha256", hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

async function addLayer(directory: string, tar: string, compression: Compression): Promise<Descriptor> {
  const blob = join(directory, "blobs/sha256/.new");
  if (compression === "gzip") await $`gzip -6 -n -c ${tar} > ${blob}`;
  else await $`zstd -3 -q -c ${tar} > ${blob}`;
  const hex = await sha256(blob);
  const size = statSync(blob).size;
  renameSync(blob, join(directory, "blobs/sha256", hex));
  return { mediaType: `application/vnd.oci.image.layer.v1.tar+${compression}`, digest: `sha256:${hex}`, size };
}

function writeIndex(directory: string, manifests: readonly object[]): void {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  writeFileSync(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

/** Joins the images of several layouts into one with an index that names a platform for each, tagged `latest`. */
export function joinPlatforms(directory: string, layouts: Readonly<Record<string, string>>): void {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const manifests = Object.entries(layouts).map(([platform, layout]) => {
    for (const { name, path } of blobsOf(layout)) copyFileSync(path, join(directory, "blobs/sha256", name));
    const [os = "", architecture = "", variant] = platform.split("/");
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as { manifests: [Descriptor] };
    const { mediaType, digest, size } = index.manifests[0];
    return { mediaType, digest, size, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
  });
  const type = "application/vnd.oci.image.index.v1+json";
  const index = addJson(directory, type, { schemaVersion: 2, mediaType: type, manifests });
  writeIndex(directory, [{ ...index, annotations: { "org.opencontainers.image.ref.name": "latest" } }]);
}

function blobsOf(layout: string): readonly { readonly name: string; readonly path: string }[] {
  const blobs = join(layout, "blobs/sha256");
  return [...new Bun.Glob("*").scanSync(blobs)].map((name) => ({ name, path: join(blobs, name) }));
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}
