/**
 * image-spec 1.1 as a strict reader, written from its text and its JSON schemas: what is wrong with the documents of an image,
 * and with the blobs that they name. It shares no code with devbox, and allows no member that the specification does not have.
 */
import { createHash } from "node:crypto";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  boolean,
  both,
  exactly,
  int64,
  isObject,
  listOf,
  mapOf,
  matching,
  object,
  type Rule,
  text,
} from "./json-rules.ts";

/** The content of a blob or manifest by its digest; undefined: it is not there. */
export type ReadBlob = (digest: string) => Uint8Array | undefined;

// descriptor.md "Properties", "Digests"; RFC 6838 section 4.2; RFC 3339 section 5.6.
const mediaType = matching(
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/,
  "a media type",
);
const digest = matching(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "a digest");
const time = matching(/^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-][0-2]\d:[0-5]\d)$/, "a time");
const strings = listOf(text);
const set = mapOf(object({}));

/** annotations.md "Pre-Defined Annotation Keys"; the grammar of ref.name is there too. */
const knownAnnotations: Readonly<Record<string, Rule>> = {
  "org.opencontainers.image.created": time,
  "org.opencontainers.image.base.digest": digest,
  "org.opencontainers.image.ref.name": matching(
    /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/,
    "a reference",
  ),
};
const annotations: Rule = both(mapOf(text), (value, at) =>
  Object.entries(isObject(value) ? value : {}).flatMap(
    ([key, each]) => knownAnnotations[key]?.(each, `${at}.${key}`) ?? [],
  ),
);
const platform = object(
  { os: text, architecture: text },
  { variant: text, "os.version": text, "os.features": strings },
);
const descriptor = object(
  { mediaType, digest, size: int64 },
  { urls: strings, annotations, data: text, artifactType: mediaType, platform },
);

export const oci = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  empty: "application/vnd.oci.empty.v1+json",
} as const;
export const docker = {
  index: "application/vnd.docker.distribution.manifest.list.v2+json",
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
} as const;

const ociLayer = /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(?:gzip|zstd))?$/;
const dockerLayer = /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip)?$/;

/** image-index.md; docker's manifest list has neither annotations nor artifacts ("Manifest List" in distribution's v2-2). */
const indexRules: Readonly<Record<string, Rule>> = {
  [oci.index]: object(
    { schemaVersion: exactly(2), mediaType: exactly(oci.index), manifests: listOf(descriptor) },
    { artifactType: mediaType, subject: descriptor, annotations },
  ),
  [docker.index]: object({
    schemaVersion: exactly(2),
    mediaType: exactly(docker.index),
    manifests: listOf(object({ mediaType, digest, size: int64, platform })),
  }),
};

/** manifest.md; docker's descriptors have no annotations. */
const manifestRules: Readonly<Record<string, Rule>> = {
  [oci.manifest]: object(
    {
      schemaVersion: exactly(2),
      mediaType: exactly(oci.manifest),
      config: descriptor,
      layers: listOf(descriptor, 1),
    },
    { artifactType: mediaType, subject: descriptor, annotations },
  ),
  [docker.manifest]: object({
    schemaVersion: exactly(2),
    mediaType: exactly(docker.manifest),
    config: object({ mediaType: exactly(docker.config), digest, size: int64 }),
    layers: listOf(object({ mediaType: matching(dockerLayer, "docker's"), digest, size: int64 }, { urls: strings })),
  }),
};

/** config.md "Properties", with what it reserves for docker's (Healthcheck, OnBuild, Shell …). */
const configRule = object(
  { architecture: text, os: text, rootfs: object({ type: exactly("layers"), diff_ids: listOf(digest) }) },
  {
    created: time,
    author: text,
    variant: text,
    "os.version": text,
    "os.features": strings,
    config: object(
      {},
      {
        User: text,
        ExposedPorts: mapOf(object({}), matching(/^\d+(?:\/(?:tcp|udp|sctp))?$/, "a port")),
        Env: listOf(matching(/^[^=]+=/, "NAME=VALUE")),
        Entrypoint: strings,
        Cmd: strings,
        Volumes: set,
        WorkingDir: text,
        Labels: mapOf(text),
        StopSignal: text,
        ArgsEscaped: boolean,
        Healthcheck: object(
          { Test: strings },
          { Interval: int64, Timeout: int64, StartPeriod: int64, StartInterval: int64, Retries: int64 },
        ),
        OnBuild: strings,
        Shell: strings,
      },
    ),
    history: listOf(object({}, { created: time, author: text, created_by: text, comment: text, empty_layer: boolean })),
  },
);

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}
interface Document {
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
}
interface Config {
  readonly os: string;
  readonly architecture: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history?: readonly { readonly empty_layer?: boolean }[];
}

/** A manifest or index, and everything below it. `at`: what it is called in complaints. */
export function documentFaults(top: Descriptor, read: ReadBlob, at: string): readonly string[] {
  const bytes = read(top.digest);
  const faults = blobFaults(top, bytes, at);
  if (bytes === undefined || faults.length > 0) return faults;
  const document: Document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  const indexRule = indexRules[top.mediaType];
  if (indexRule !== undefined) {
    const wrong = indexRule(document, at);
    if (wrong.length > 0) return wrong;
    return document.manifests.flatMap((entry, index) => documentFaults(entry, read, `${at}.manifests[${index}]`));
  }
  const wrong = (manifestRules[top.mediaType] ?? (() => [`${at}: no manifest: ${top.mediaType}`]))(document, at);
  return wrong.length > 0 ? wrong : manifestFaults(document, top, read, at);
}

function manifestFaults(manifest: Document, top: Descriptor, read: ReadBlob, at: string): readonly string[] {
  const { artifactType, config, layers } = manifest;
  const blobs = [config, ...layers].flatMap((each) => blobFaults(each, read(each.digest), `${at}: ${each.mediaType}`));
  if (blobs.length > 0) return blobs;
  if (config.mediaType !== oci.config && config.mediaType !== docker.config) {
    // manifest.md "artifactType": "This MUST be set when config.mediaType is set to the empty value".
    return config.mediaType === oci.empty && artifactType === undefined ? [`${at}: no artifactType`] : [];
  }
  const isOci = top.mediaType === oci.manifest;
  const foreign = layers.filter((layer) => !(isOci ? ociLayer : dockerLayer).test(layer.mediaType));
  const document: Config = JSON.parse(new TextDecoder().decode(read(config.digest)));
  const wrong = configRule(document, `${at}.config`);
  if (wrong.length > 0) return wrong;
  return [
    ...foreign.map((layer) => `${at}: a layer of type ${layer.mediaType}`),
    ...configFaults(document, layers, top, `${at}.config`),
    ...layers.flatMap((layer, index) =>
      contentFaults(layer, read(layer.digest), document.rootfs.diff_ids[index], `${at}.layers[${index}]`),
    ),
  ];
}

/** config.md: diff_ids and what of the history is no empty layer are as many as there are layers. */
function configFaults(
  { os, architecture, rootfs, history }: Config,
  layers: readonly Descriptor[],
  { platform: said }: Descriptor,
  at: string,
): readonly string[] {
  const told = history?.filter(({ empty_layer }) => empty_layer !== true).length ?? layers.length;
  return [
    ...(rootfs.diff_ids.length === layers.length ? [] : [`${at}: ${rootfs.diff_ids.length} diff_ids`]),
    ...(told === layers.length ? [] : [`${at}: a history of ${told} layers`]),
    ...(said === undefined || (said.os === os && said.architecture === architecture)
      ? []
      : [`${at}: another platform`]),
  ];
}

function blobFaults(
  { digest: wanted, size }: Descriptor,
  bytes: Uint8Array | undefined,
  at: string,
): readonly string[] {
  if (bytes === undefined) return [`${at}: ${wanted} is not there`];
  const [algorithm = "sha256"] = wanted.split(":");
  const is = `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
  return [
    ...(is === wanted ? [] : [`${at}: it is ${is}`]),
    ...(bytes.byteLength === size ? [] : [`${at}: it has ${bytes.byteLength} bytes`]),
  ];
}

function contentFaults(
  layer: Descriptor,
  bytes: Uint8Array | undefined,
  diffId: string | undefined,
  at: string,
): readonly string[] {
  const plain = unpack(layer.mediaType, bytes ?? new Uint8Array());
  const is = `sha256:${createHash("sha256").update(plain).digest("hex")}`;
  return is === diffId ? [] : [`${at}: it unpacks to ${is}`];
}

export function unpack(type: string, bytes: Uint8Array): Uint8Array {
  if (/gzip$/.test(type)) return gunzipSync(bytes);
  return type.endsWith("+zstd") ? zstdDecompressSync(bytes) : bytes;
}

/** image-layout.md, of its files by their paths: the marker, index.json, names there once, and all that they lead to. */
export function layoutFaults(read: (path: string) => Uint8Array | undefined): readonly string[] {
  const json = (path: string): unknown => JSON.parse(new TextDecoder().decode(read(path) ?? Buffer.from("null")));
  const readBlob: ReadBlob = (wanted) => read(`blobs/${wanted.replace(":", "/")}`);
  const index = json("index.json");
  const faults = [
    ...object({ imageLayoutVersion: exactly("1.0.0") })(json("oci-layout"), "oci-layout"),
    ...(indexRules[oci.index]?.(index, "index.json") ?? []),
  ];
  if (faults.length > 0) return faults;
  const { manifests } = index as { manifests: (Descriptor & { annotations?: Record<string, string> })[] };
  const names = manifests.flatMap((entry) => entry.annotations?.["org.opencontainers.image.ref.name"] ?? []);
  return [
    ...(new Set(names).size === names.length ? [] : [`index.json: a name twice among ${names}`]),
    ...manifests.flatMap((entry, at) => documentFaults(entry, readBlob, `manifests[${at}]`)),
  ];
}

/** `manifest.json` of docker-archives (moby image/tarexport), of members by their names. */
export function savedFaults(read: (path: string) => Uint8Array | undefined): readonly string[] {
  const saved: unknown = JSON.parse(new TextDecoder().decode(read("manifest.json") ?? Buffer.from("null")));
  const tag = matching(/^[^@]+:[\w][\w.-]{0,127}$/, "NAME:TAG");
  const wrong = listOf(object({ Config: text, RepoTags: listOf(tag), Layers: strings }), 1)(saved, "manifest.json");
  if (wrong.length > 0) return wrong;
  return (saved as { Config: string; Layers: string[] }[]).flatMap(({ Config, Layers }, image) => {
    const at = `manifest.json[${image}]`;
    const bytes = read(Config);
    if (bytes === undefined) return [`${at}: ${Config} is not there`];
    const config: Config = JSON.parse(new TextDecoder().decode(bytes));
    const id = createHash("sha256").update(bytes).digest("hex");
    const layers = Layers.map((path) => ({ mediaType: "tar", digest: path, size: 0 }));
    return [
      ...(Config === `${id}.json` ? [] : [`${at}: ${Config} is ${id}`]),
      ...configRule(config, `${at}.Config`),
      ...configFaults(config, layers, layers[0] ?? { mediaType: "", digest: "", size: 0 }, `${at}.Config`),
      ...Layers.flatMap((path, index) =>
        contentFaults(
          { mediaType: "tar", digest: path, size: 0 },
          read(path),
          config.rootfs.diff_ids[index],
          `${at}.Layers[${index}]`,
        ),
      ),
    ];
  });
}
