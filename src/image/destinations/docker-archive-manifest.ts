/** `manifest.json` of an archive as `docker save` writes it (moby image/tarexport): what is read by docker-archive-source.ts. */
import { DevboxError } from "../../core/errors.ts";
import { type Descriptor, mediaTypes } from "../../oci/descriptor.ts";
import { digestHex } from "../../oci/digest.ts";
import { parseManifest } from "../../oci/parse.ts";

export interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  /** Base first. */
  readonly Layers: readonly string[];
}

const configTypes: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig];

/** The member that a blob lies in. */
export function savedName({ mediaType, digest }: Descriptor): string {
  return `${digestHex(digest)}.${configTypes.includes(mediaType) ? "json" : "tar"}`;
}

/**
 * The list with one more image: a name moves to it, and an image that is listed already gets the names.
 * @throws DevboxError USAGE for a name that is no repository with a tag: docker could not load it
 */
export function describeSaved(
  saved: readonly SavedImage[],
  { mediaType }: Descriptor,
  manifestBytes: Uint8Array,
  names: readonly string[],
  label: string,
): readonly SavedImage[] {
  for (const name of names) requireTag(name, label);
  const { config, layers } = parseManifest(manifestBytes, mediaType);
  const others = saved.map((image) => ({ ...image, RepoTags: image.RepoTags.filter((tag) => !names.includes(tag)) }));
  const image = { Config: savedName(config), RepoTags: names, Layers: layers.map(savedName) };
  const same = others.find(({ Config }) => Config === image.Config);
  if (same === undefined) return [...others, image];
  return others.map((each) => (each === same ? { ...each, RepoTags: [...each.RepoTags, ...names] } : each));
}

function requireTag(name: string, label: string): void {
  if (/^[^@]+:[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) return;
  throw new DevboxError("USAGE", {
    step: `write ${label}`,
    because: `${JSON.stringify(name)} is no name with a tag, and docker's archives hold no others`,
    hint: "name it NAME:TAG, or leave the name out",
  });
}

export function encodeSaved(saved: readonly SavedImage[]): string {
  return JSON.stringify(saved);
}
