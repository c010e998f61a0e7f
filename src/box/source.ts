/** What a box starts from: an image of the store, pulled when it must be, or a directory as it is. */
import type { BundleSource } from "../bundle/bundle.ts";
import type { Context } from "../core/context.ts";
import { readReference } from "../image/names/read-reference.ts";
import { ensureImage } from "../image/pull/ensure.ts";
import { parsePlatform } from "../oci/platform.ts";
import type { Surroundings } from "./prepare.ts";
import type { RunRequest } from "./request.ts";

/** @throws DevboxError BAD_REFERENCE, BAD_PLATFORM, and what a pull throws. */
export async function findSource(context: Context, around: Surroundings, request: RunRequest): Promise<BundleSource> {
  const reference = await readReference(request.reference, context.env);
  if (reference.kind === "dir" && !(await isImage(reference.path))) return { kind: "directory", path: reference.path };
  const platform = request.platform === undefined ? undefined : parsePlatform(request.platform);
  const options = { policy: request.pull, platform, tlsVerify: request.tlsVerify };
  return { kind: "image", image: await ensureImage({ context, ...around }, request.reference, options) };
}

/** `dir:` is skopeo's word for its own form of images, too. */
async function isImage(directory: string): Promise<boolean> {
  return (await import("../image/sources/skopeo-directory.ts")).isSkopeoDirectory(directory);
}
