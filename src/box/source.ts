/** What a box starts from: an image of the store, pulled when it must be, or a directory as it is. */
import { resolve } from "node:path";
import type { BundleSource } from "../bundle/bundle.ts";
import type { Context } from "../core/context.ts";
import { parseReference } from "../oci/reference.ts";
import type { Surroundings } from "./prepare.ts";
import type { RunRequest } from "./request.ts";

export async function findSource(_context: Context, _around: Surroundings, request: RunRequest): Promise<BundleSource> {
  const reference = parseReference(request.reference);
  if (reference.kind === "dir") return { kind: "directory", path: resolve(reference.path) };
  throw new Error("not yet");
}
