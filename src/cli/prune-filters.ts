/** `--filter` of commands that remove what is not needed (docker system prune, docker image prune). */
import type { PruneCandidate } from "../image/garbage/prune.ts";
import { badFilter, type Filters, labelsFit, parseFilters } from "./format/filters.ts";
import { parseMoment } from "./format/moments.ts";

export const pruneFilterOption = {
  filter: {
    type: "string",
    multiple: true,
    valueHint: "KEY=VALUE",
    description: "Only images that fit: until (made before, 24h or a time), label, label! (all but those)",
  },
} as const;

/**
 * Which images fit; undefined: all, nothing was asked.
 * @throws DevboxError USAGE that names the filter
 */
export function readPruneFilters(
  texts: readonly string[],
  now: Date,
): ((image: PruneCandidate) => boolean) | undefined {
  if (texts.length === 0) return undefined;
  const filters = parseFilters(texts, ["until", "label", "label!"]);
  const until = readUntil(filters, now);
  return ({ created, labels }) =>
    (until === undefined || Date.parse(created ?? "") < until) &&
    labelsFit(filters, labels) &&
    !(filters.has("label!") && labelsFit(filters, labels, "label!"));
}

/** docker takes one. What has no time of its own is older than nothing. */
function readUntil(filters: Filters, now: Date): number | undefined {
  const [text, another] = filters.get("until") ?? [];
  if (text === undefined) return undefined;
  if (another !== undefined) throw badFilter(`until=${another}`, "one moment is enough");
  return parseMoment("--filter until", text, now);
}
