/** Image references as docker and podman read them. */
import type { Digest } from "./descriptor.ts";

/**
 * Where an image comes from.
 * - registry: `registry/repository[:tag][@digest]`, defaults filled in (docker.io, library/, latest).
 * - oci: `oci:DIR[:ref]`, oci-archive: `oci-archive:FILE[:ref]`, docker-archive: `docker-archive:FILE[:ref]`, dir: `dir:ROOTFS`.
 */
export type Reference =
  | {
      readonly kind: "registry";
      /** Host with optional port: `docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
      readonly registry: string;
      /** `library/alpine`. */
      readonly repository: string;
      readonly tag: string | undefined;
      readonly digest: Digest | undefined;
    }
  | { readonly kind: "oci" | "oci-archive" | "docker-archive"; readonly path: string; readonly ref: string | undefined }
  | { readonly kind: "dir"; readonly path: string };
