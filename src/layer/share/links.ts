/** Hard links within a tree, told from those that lead to its files from other trees. */
import type { ByteString } from "../byte-string.ts";
import { join, longestPath, namesIn, statOf } from "./paths.ts";

/** Whether an inode has more than one name in the tree; of a tree that is too deep to tell, any may have. */
export function findLinks(tree: ByteString): (ino: bigint) => boolean {
  const met = new Set<bigint>();
  const several = new Set<bigint>();
  const waiting: ByteString[] = [""];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (path.length > longestPath) return () => true;
    for (const name of namesIn(`${tree}/${path}`)) {
      const inner = join(path, name);
      const stats = statOf(`${tree}/${inner}`);
      if (stats?.isDirectory() === true) waiting.push(inner);
      else if (stats?.isFile() === true && stats.nlink > 1n) (met.has(stats.ino) ? several : met).add(stats.ino);
    }
  }
  return (ino) => several.has(ino);
}
