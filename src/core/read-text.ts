/** Small files of the system and of our own, of which none at all says as much as an empty one. */
import { readFileSync } from "node:fs";

/** The text of a file; one that is missing, gone meanwhile or closed to us says nothing. */
export function readTextOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
