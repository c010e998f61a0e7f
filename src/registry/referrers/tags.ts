/** Tags of a repository (distribution-spec "Listing Tags"). */
import { DevboxError } from "../../core/errors.ts";
import { isAbsent, member, parseJson, readArray, readString } from "../../oci/json.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/parse.ts";
import type { Session } from "../session.ts";
import { fetchPages } from "./pages.ts";

const MAX_TAGS = 100_000;

/** In the registry's order. @throws REGISTRY_NOT_FOUND where there is no such repository; REGISTRY_REFUSED */
export async function listTags(session: Session): Promise<readonly string[]> {
  const { registry, repository } = session.options;
  const step = `list the tags of ${registry}/${repository}`;
  const tags: string[] = [];
  let isThere = false;
  const request = { target: `v2/${repository}/tags/list`, accept: "application/json", step };
  for await (const { bytes } of fetchPages(session, request)) {
    isThere = true;
    const list = member(parseJson(bytes, { code: "REGISTRY_REFUSED", step }, MAX_MANIFEST_BYTES), "tags");
    if (!isAbsent(list)) tags.push(...readArray(list, readString, MAX_TAGS));
    if (tags.length <= MAX_TAGS) continue;
    throw new DevboxError("REGISTRY_REFUSED", { step, because: `it has more than ${MAX_TAGS}` });
  }
  if (!isThere) throw new DevboxError("REGISTRY_NOT_FOUND", { step, because: `${registry} has no such repository` });
  return tags;
}
