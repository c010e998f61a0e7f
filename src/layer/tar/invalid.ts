/** The error of everything that reads archives: what is wrong, at which byte of the uncompressed stream. */
import { DevboxError } from "../../core/errors.ts";

export function invalidArchive(because: string, offset: number, entry?: string): DevboxError {
  const place = `at byte ${offset} of the archive`;
  return new DevboxError("LAYER_INVALID", { step: entry === undefined ? place : `${entry} (${place})`, because });
}
