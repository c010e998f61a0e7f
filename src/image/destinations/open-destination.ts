/** The destination that a reference names. Each kind is loaded when it is needed. */
import type { Context } from "../../core/context.ts";
import { formatReference, parseReference, type Reference } from "../../oci/reference.ts";
import type { RegistryAccess } from "../../registry/access.ts";
import type { ImageDestination } from "./destination.ts";

/**
 * @param reference with an absolute path, if any
 * @throws DevboxError COPY_FAILED, USAGE where it cannot be written to; a registry is not asked yet
 */
export async function openDestination(
  context: Context,
  reference: Reference,
  options: RegistryAccess,
): Promise<ImageDestination> {
  const label = formatReference(reference);
  switch (reference.kind) {
    case "registry":
      return (await import("./registry-destination.ts")).openRegistryDestination(context, reference, options);
    case "oci":
      return await (await import("./layout-destination.ts")).openLayoutDestination(context, reference.path, label);
    case "oci-archive":
    case "docker-archive": {
      const { openArchiveDestination } = await import("./archive-destination.ts");
      return openArchiveDestination(reference.kind, { kind: "file", path: reference.path }, label);
    }
    case "dir": {
      const { openSkopeoDirectoryDestination } = await import("./skopeo-directory-destination.ts");
      return await openSkopeoDirectoryDestination(context, reference.path, label);
    }
  }
}

/** Under which names an image is listed there. @throws DevboxError BAD_REFERENCE */
export function namesAt(reference: Reference): readonly string[] {
  switch (reference.kind) {
    case "registry":
    case "dir":
      return [];
    case "docker-archive":
      // As skopeo has it: docker takes `debian` for no name of an image.
      return reference.ref === undefined ? [] : [formatReference(parseReference(reference.ref))];
    default:
      return reference.ref === undefined ? [] : [reference.ref];
  }
}
