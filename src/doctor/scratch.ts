/** A directory for trials on the file system of the store, gone afterwards. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Scratch extends Disposable {
  readonly path: string;
}

/**
 * Makes it below the root of the store, which is made when it is missing, and then removed again.
 * @throws what node:fs throws
 */
export function openScratch(storeRoot: string): Scratch {
  const made = missingDirectories(storeRoot);
  mkdirSync(storeRoot, { recursive: true, mode: 0o700 });
  const path = mkdtempSync(join(storeRoot, ".doctor-"));
  return {
    path,
    [Symbol.dispose]() {
      openUp(path);
      rmSync(path, { recursive: true });
      removeEmpty(made);
    },
  };
}

/** The directories that making `path` makes, deepest first. */
function missingDirectories(path: string): readonly string[] {
  return existsSync(path) ? [] : [path, ...missingDirectories(dirname(path))];
}

/** overlayfs leaves a directory without any permission in its work directory. */
function openUp(directory: string): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) openUp(join(directory, entry.name));
  }
}

/** Never recursively: another devbox, or another probe, may have begun to fill the store meanwhile. */
function removeEmpty(directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch {
      return;
    }
  }
}
