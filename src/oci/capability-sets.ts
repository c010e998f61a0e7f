/** What of five requested sets of capabilities a process can have at all (capabilities(7)). */
import type { Capabilities } from "./runtime.ts";

/**
 * The sets less what capset(2) and prctl(2) would refuse: effective capabilities that are not permitted, inheritable ones
 * outside of the bounding set, ambient ones that are not both permitted and inheritable.
 */
export function attainableSets(asked: Capabilities): Capabilities {
  const { bounding, permitted } = asked;
  const inheritable = asked.inheritable.filter((name) => bounding.includes(name));
  return {
    bounding,
    effective: asked.effective.filter((name) => permitted.includes(name)),
    permitted,
    inheritable,
    ambient: asked.ambient.filter((name) => permitted.includes(name) && inheritable.includes(name)),
  };
}

/** Why a set has less than was asked for. */
export const reasonsOfLoss: Readonly<Record<"effective" | "inheritable" | "ambient", string>> = {
  effective: "is not permitted",
  inheritable: "is not in the bounding set",
  ambient: "is not both permitted and inheritable",
};
