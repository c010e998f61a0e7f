/** What must stay as it is: a tree of files, the mounts of the host, and who runs. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Everything below a directory: type, mode, owner and content. */
export function treeOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path);
      const content = stat.isFile() ? readFileSync(path, "utf8") : stat.isSymbolicLink() ? readlinkSync(path) : "";
      return `${name} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${content}`;
    });
}

/** Mounts at and below a directory, as who tests sees them. */
export function mountsAt(directory: string): readonly string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => (line.split(" ")[4] ?? "").startsWith(directory));
}
