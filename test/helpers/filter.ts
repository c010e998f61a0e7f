/** Takes out of an output what differs from run to run, in one place, so that the rest can be compared word for word. */
import type { Home } from "./devbox.ts";
import { registryAddress } from "./given.ts";

/** Ids, digests, times, sizes in progress, ports and directories become names in capitals. */
export function steady(text: string, home?: Home): string {
  const replacements: readonly (readonly [RegExp | string, string])[] = [
    [registryAddress(), "REGISTRY"],
    ...(home === undefined ? [] : ([[home.directory, "HOME"]] as const)),
    [/\b(sha256|sha512):[0-9a-f]{12,128}/g, "$1:DIGEST"],
    [/\b[0-9a-f]{64}\b/g, "ID64"],
    [/\b[0-9a-f]{12}\b/g, "ID12"],
    [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
    [/\b\d+ (?:seconds?|minutes?|hours?) ago\b/g, "AGE"],
    [/\b(?:less than a second|a few seconds|just now)(?: ago)?\b/gi, "AGE"],
    [/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT"],
    [/\b\d+(?:\.\d+)? ?(?:ms|s)\b/g, "DURATION"],
    [/\b\d+(?:\.\d+)? ?(?:B|[kKMGT]i?B)(?:\/s)?/g, "SIZE"],
  ];
  return replacements.reduce((result, [pattern, name]) => result.replaceAll(pattern, name), text);
}
