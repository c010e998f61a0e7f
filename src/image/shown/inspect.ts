/** What `devbox inspect` shows of an image: docker's shape (docker API, ImageInspect). */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { ImageConfig } from "../../oci/image.ts";
import { readImageContent, storedLayers } from "../../store/images.ts";
import { type ImageEntry, readEntries } from "../../store/index-file.ts";
import { layerBytes } from "../../store/layers.ts";
import type { Store } from "../../store/types.ts";
import { entryOf, findImage } from "../names/find.ts";

/** Objects whose keys are users' are Maps. @throws DevboxError IMAGE_NOT_FOUND, BAD_REFERENCE, STORE_DAMAGED */
export function inspectImage(store: Store, text: string, env: Context["env"]): Readonly<Record<string, unknown>> {
  const entries = readEntries(store);
  const entry = entryOf(findImage(store, entries, text, env));
  const content = readImageContent(store, entry);
  if (content === undefined)
    throw new DevboxError("IMAGE_NOT_FOUND", { step: `find the image ${text}`, because: "it is not here" });
  const { config, manifest } = content;
  const named = entries.filter(({ descriptor }) => descriptor.digest === entry.descriptor.digest);
  return {
    Id: manifest.config.digest,
    RepoTags: named.flatMap(({ name }) => name ?? []),
    RepoDigests: named.flatMap((each) => repositoryDigest(each) ?? []),
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    Author: config.author ?? "",
    Config: describeExecution(config),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: sizeOf(store, config),
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Digest: entry.descriptor.digest,
    Annotations: new Map(Object.entries(manifest.annotations ?? {})),
    History: (config.history ?? []).map((step) => ({ ...step })),
    Descriptor: { mediaType: entry.descriptor.mediaType, digest: entry.descriptor.digest, size: entry.descriptor.size },
  };
}

/** `docker.io/library/debian@sha256:…`, of what came from a registry. */
function repositoryDigest({ name, topDigest }: ImageEntry): string | undefined {
  if (name === undefined || /^[a-z-]+:\//.test(name)) return undefined;
  return `${name.replace(/:[^:/]+$/, "")}@${topDigest}`;
}

function describeExecution({ config = {} }: ImageConfig) {
  const keys = (record: Readonly<Record<string, object>> = {}) => new Map(Object.keys(record).map((key) => [key, {}]));
  return {
    User: config.User ?? "",
    ExposedPorts: keys(config.ExposedPorts),
    Env: config.Env ?? [],
    Cmd: config.Cmd ?? [],
    Entrypoint: config.Entrypoint ?? null,
    Volumes: keys(config.Volumes),
    WorkingDir: config.WorkingDir ?? "",
    Labels: new Map(Object.entries(config.Labels ?? {})),
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
    ...(config.OnBuild === undefined ? {} : { OnBuild: config.OnBuild }),
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
  };
}

function sizeOf(store: Store, { rootfs }: ImageConfig): number {
  return storedLayers(rootfs.diff_ids).reduce((sum, { chainId }) => sum + layerBytes(store, chainId), 0);
}
