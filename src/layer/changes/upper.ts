/** The directory that a box writes to, open. */
import { closeSync, constants, openSync } from "node:fs";
import type { Opened } from "../copy/at.ts";

export function openUpper(path: string): Opened {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
