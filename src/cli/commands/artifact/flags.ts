/** What the commands of the group share: their flags, and how their words are read. */

import type { FileToPush } from "../../../image/artifact/push.ts";
import { isMediaType } from "../../../oci/artifact.ts";
import type { ArgumentDefs } from "../../command.ts";
import { platformOption } from "../../platform-flag.ts";
import { badFlag } from "../../run-values.ts";

export const artifactPlatform = {
  platform: {
    ...platformOption,
    description: "Of those that the name stands for",
  },
} as const satisfies ArgumentDefs;

/**
 * Was a tag or a digest written, or is `latest` only what a name without one means? What stands behind the last slash tells
 * it: before that a colon is a port's.
 */
export function hasTagOrDigest(text: string): boolean {
  return /[:@]/.test(text.slice(text.lastIndexOf("/") + 1));
}

/** @throws DevboxError USAGE */
export function parseMediaType(flag: string, text: string): string {
  if (isMediaType(text)) return text;
  throw badFlag(flag, text, "it is no media type", "application/vnd.example.thing.v1+json");
}

/** `FILE` or `FILE:TYPE/SUBTYPE`; a colon of a file's own stays in its name. */
export function parseFile(text: string, defaultType: string): FileToPush {
  const colon = text.lastIndexOf(":");
  const mediaType = text.slice(colon + 1);
  if (colon > 0 && isMediaType(mediaType)) return { path: text.slice(0, colon), mediaType };
  return { path: text, mediaType: defaultType };
}
