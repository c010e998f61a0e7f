/** The source that a reference names. Each kind is loaded when it is needed: the registry client costs milliseconds. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { Reference } from "../oci/reference.ts";
import type { ImageSource } from "./source.ts";

export interface SourceOptions {
  readonly tlsVerify: boolean;
}

/** @throws DevboxError of the source: an archive that is none, a directory that is not there */
export async function openSource(context: Context, reference: Reference, options: SourceOptions): Promise<ImageSource> {
  switch (reference.kind) {
    case "registry":
      return (await import("./registry-source.ts")).openRegistrySource(context, reference, options);
    case "oci":
      return (await import("./layout-source.ts")).openLayoutSource(context, reference);
    case "oci-archive":
    case "docker-archive":
      return await (await import("./archive-source.ts")).openArchiveSource(context, reference);
    case "dir":
      throw new DevboxError("USAGE", {
        step: `pull dir:${reference.path}`,
        because: "a directory is run in place, there is nothing to pull",
        hint: `run it: devbox run dir:${reference.path}`,
      });
  }
}
