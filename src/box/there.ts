/** Boxes that are removed while their files are read: what has been read is not all of it, and what fails says so. */
import { existsSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { FoundBox } from "./settled.ts";

/** @throws DevboxError BOX_NOT_FOUND when the box was removed meanwhile, whether reading has failed or not */
export async function whileThere<T>(box: FoundBox, verb: string, reading: Promise<T>): Promise<T> {
  const read = await reading.catch((error: unknown) => {
    requireThere(box, verb, error);
    throw error;
  });
  requireThere(box, verb);
  return read;
}

/** At the end of reading. @throws DevboxError BOX_NOT_FOUND */
export function requireThere({ paths, record }: FoundBox, verb: string, cause?: unknown): void {
  if (existsSync(paths.directory)) return;
  if (cause instanceof DevboxError && cause.code === "BOX_NOT_FOUND") throw cause;
  throw new DevboxError("BOX_NOT_FOUND", {
    step: `${verb} the box ${record.name}`,
    because: "it was removed meanwhile",
    hint: "see what there is: devbox ps --all",
    cause,
  });
}
