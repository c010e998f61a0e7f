/** Tags of a repository (distribution-spec "Listing Tags"). */
import { DevboxError } from "../core/errors.ts";
import type { Session } from "./session.ts";

export async function listTags(session: Session): Promise<readonly string[]> {
  throw new DevboxError("INTERNAL", {
    step: `list ${session.options.repository}`,
    because: "not there yet",
  });
}
