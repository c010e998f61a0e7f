/** The source that a reference names. Each kind is loaded when it is needed: the registry client costs milliseconds. */
import { existsSync } from "node:fs";
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import type { Store } from "../../store/types.ts";
import type { MirrorHealth } from "./mirror-health.ts";
import type { ImageSource } from "./source.ts";

export interface SourceOptions extends RegistryAccess {
  /** Of the mirrors, where several sources are opened after one another: `avoidingBadMirrors`. */
  readonly health?: MirrorHealth;
}

/**
 * @param reference with an absolute path, if any
 * @throws DevboxError of the source: an archive that is none, a directory that is not there
 */
export async function openSource(
  context: Context,
  store: Store,
  reference: Reference,
  options: SourceOptions,
): Promise<ImageSource> {
  switch (reference.kind) {
    case "registry":
      return (await import("./registry-source.ts")).openRegistrySource(context, reference, options);
    case "oci": {
      const { openDirectoryTree } = await import("./directory-tree.ts");
      const { openLayoutSource } = await import("./layout-source.ts");
      return openLayoutSource(openDirectoryTree(reference.path, formatReference(reference)), reference.ref);
    }
    case "oci-archive":
    case "docker-archive": {
      const { openArchiveTree } = await import("./archive-tree.ts");
      const tree = await openArchiveTree(context, store, reference.path, formatReference(reference));
      if (reference.kind === "oci-archive") {
        return (await import("./layout-source.ts")).openLayoutSource(tree, reference.ref);
      }
      return (await import("./docker-archive-source.ts")).openDockerArchiveSource(tree, reference.ref);
    }
    case "dir": {
      const { isSkopeoDirectory } = await import("./skopeo-directory.ts");
      if (isSkopeoDirectory(reference.path)) {
        const { openDirectoryTree } = await import("./directory-tree.ts");
        const { openSkopeoDirectorySource } = await import("./skopeo-directory-source.ts");
        return openSkopeoDirectorySource(openDirectoryTree(reference.path, formatReference(reference)));
      }
      throw noImageDirectory(reference.path, formatReference(reference));
    }
  }
}

function noImageDirectory(path: string, label: string): DevboxError {
  if (!existsSync(path)) {
    const because = "there is no such directory";
    return new DevboxError("IMAGE_NOT_FOUND", { step: `open ${label}`, because, hint: "check the path" });
  }
  return new DevboxError("USAGE", {
    step: `read ${label}`,
    because: "it is no image that skopeo has written: a root file system is used where it is",
    hint: `run it: devbox run ${label}; or make an image of it: tar -C ${path} -c . | devbox import -`,
  });
}
