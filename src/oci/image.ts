/** Manifest, index and image config (image-spec manifest.md, image-index.md, config.md): types only. */
import type { Descriptor, Digest, Platform } from "./descriptor.ts";

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** image-spec config.md "Properties" plus docker's Healthcheck, Shell, OnBuild. */
export interface ImageConfig extends Platform {
  readonly created?: string;
  readonly author?: string;
  readonly config?: ImageExecution;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly ImageHistory[];
}

/** The `config` object of the image config: how a box of this image runs unless told otherwise. */
export interface ImageExecution {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: ImageHealthcheck;
  /** docker's SHELL: what runs lines of text; default `["/bin/sh", "-c"]`. */
  readonly Shell?: readonly string[];
  /** docker's ONBUILD: instructions for those who build on this image. */
  readonly OnBuild?: readonly string[];
}

/** docker's HEALTHCHECK (moby image/spec/v1.2.md); durations in nanoseconds, 0: the default. */
export interface ImageHealthcheck {
  /** `["NONE"]`, `["CMD", program, …]` or `["CMD-SHELL", text]`; empty: inherited. */
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface ImageHistory {
  readonly created?: string;
  readonly author?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}
