/**
 * A macro: run by the bundler, its result stands in the program as a literal (Bun "macros").
 *
 * Nearly every box has the default profile with the default capabilities, and compiling it at each start costs two
 * milliseconds of a runtime that is not warm yet. So its filter is made when devbox is.
 */
import { defaultCapabilities } from "./capabilities.ts";
import { compileFilter } from "./seccomp-compile.ts";
import { defaultSeccomp } from "./seccomp-profile.ts";

/** A profile as JSON text and its filter in base64. */
export interface PrebuiltFilter {
  readonly profile: string;
  readonly instructions: string;
  readonly flags: number;
}

/** For the architectures in this order: x86_64, aarch64. */
export function prebuildFilters(): readonly [PrebuiltFilter, PrebuiltFilter] {
  return [prebuild("x86_64"), prebuild("aarch64")];
}

function prebuild(architecture: "x86_64" | "aarch64"): PrebuiltFilter {
  const profile = defaultSeccomp({ capabilities: defaultCapabilities, architecture });
  const { instructions, flags } = compileFilter(profile, architecture);
  return { profile: JSON.stringify(profile), instructions: Buffer.from(instructions).toString("base64"), flags };
}
