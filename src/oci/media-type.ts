/** What a media type means for devbox; the unknown ones are refused by name. */
import { DevboxError } from "../core/errors.ts";
import { mediaTypes } from "./descriptor.ts";

export interface LayerFormat {
  readonly compression: "none" | "gzip" | "zstd";
  /** Not kept by registries: fetched from the descriptor's `urls` (image-spec layer.md "Non-Distributable Layers"). */
  readonly foreign: boolean;
}

const layerFormats: Readonly<Record<string, LayerFormat>> = {
  [mediaTypes.ociLayer]: { compression: "none", foreign: false },
  [mediaTypes.ociLayerGzip]: { compression: "gzip", foreign: false },
  [mediaTypes.ociLayerZstd]: { compression: "zstd", foreign: false },
  [mediaTypes.ociForeignLayer]: { compression: "none", foreign: true },
  [mediaTypes.ociForeignLayerGzip]: { compression: "gzip", foreign: true },
  [mediaTypes.ociForeignLayerZstd]: { compression: "zstd", foreign: true },
  [mediaTypes.dockerLayer]: { compression: "none", foreign: false },
  [mediaTypes.dockerLayerGzip]: { compression: "gzip", foreign: false },
  [mediaTypes.dockerLayerZstd]: { compression: "zstd", foreign: false },
  [mediaTypes.dockerForeignLayerGzip]: { compression: "gzip", foreign: true },
};

/** How a layer is packed. @throws UNSUPPORTED_MEDIA_TYPE naming the type. */
export function layerFormat(mediaType: string): LayerFormat {
  const format = Object.hasOwn(layerFormats, mediaType) ? layerFormats[mediaType] : undefined;
  return format ?? refuseMediaType(mediaType, "layer");
}

/** @throws UNSUPPORTED_MEDIA_TYPE where the config is not an image's: a chart, a signature, a build cache. */
export function checkConfigMediaType(mediaType: string): void {
  if (mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig) {
    refuseMediaType(mediaType, "image config");
  }
}

const schema1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/;

export function refuseMediaType(mediaType: string, what: string): never {
  throw new DevboxError("UNSUPPORTED_MEDIA_TYPE", { step: `read ${what}`, ...reasonAgainst(mediaType) });
}

function reasonAgainst(mediaType: string): { readonly because: string; readonly hint: string } {
  if (mediaType === "docker schema 1" || schema1.test(mediaType)) {
    return {
      because: `docker schema 1 manifests (${mediaType}) have been obsolete since 2017`,
      hint: "pull and push the image again with a current tool, for example: skopeo copy --format v2s2",
    };
  }
  // skopeo-copy(1) "--encryption-key": the type says so at its end.
  if (mediaType.endsWith("+encrypted")) {
    return {
      because: `it is encrypted (${mediaType})`,
      hint: "decrypt the image first: skopeo copy --decryption-key KEY",
    };
  }
  return {
    because: `the media type "${mediaType}" is not one that devbox can run`,
    hint: "an artifact (a chart, a signature) is fetched as files: devbox artifact pull REF",
  };
}
