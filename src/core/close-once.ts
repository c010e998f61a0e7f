/** Descriptors with several ways to their end. */
import { closeSync } from "node:fs";

/** Closes `fd` at the first call. A second close would hit whoever has got the number meanwhile. */
export function closeOnce(fd: number): () => void {
  let isOpen = true;
  return () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
}
