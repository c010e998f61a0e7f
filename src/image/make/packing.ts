/** How layers are to be packed, as it is given on a command line. */
import { DevboxError } from "../../core/errors.ts";
import { levelLimits, type Packing } from "../../layer/compress.ts";
import type { Compression } from "../../layer/protocol.ts";

export type { Packing } from "../../layer/compress.ts";

/**
 * @param compression undefined: with a level gzip, what docker and podman pack with; without one nothing is asked for
 * @throws DevboxError USAGE for a level that there is not
 */
export function parsePacking(compression: Compression | undefined, level: string | undefined): Packing | undefined {
  if (level === undefined) return compression === undefined ? undefined : { compression };
  const kind = compression ?? "gzip";
  const step = `read --level ${level}`;
  if (kind === "none") {
    throw new DevboxError("USAGE", { step, because: "without compression there is no level", hint: "leave it out" });
  }
  const [least, most] = levelLimits[kind];
  const number = /^\d{1,2}$/.test(level) ? Number(level) : Number.NaN;
  if (number >= least && number <= most) return { compression: kind, level: number };
  const because = `${kind} has levels from ${least} to ${most}`;
  throw new DevboxError("USAGE", { step, because, hint: `for example --level ${kind === "gzip" ? 6 : 3}` });
}
