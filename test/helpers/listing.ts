/**
 * Lists a tree with find, sha256sum and getfattr, none of which is ours: path, type, mode, owner, mtime in ns, link target,
 * hard links, xattrs, content. Two trees are the same when their listings are.
 */
import { $ } from "bun";

/** path (raw bytes as latin1, `.` is the root) → one line that says everything else. */
export type Listing = ReadonlyMap<string, string>;

const script = [
  "cd -- \"$1\" && find . -printf '%p\\0%y mode=%m owner=%U:%G mtime=%T@ target=%l\\0%n %i %s\\0' && printf '\\1'",
  "find . -type f -print0 | xargs -0r sha256sum -z && printf '\\1'",
  "getfattr -R -h -d -e hex -m - . 2>/dev/null",
].join("\n");

/** `prefix`: words before the shell, to enter a user namespace; `setup`: shell commands before (a mount). */
export async function listTree(directory: string, prefix: readonly string[], setup = ":"): Promise<Listing> {
  const command = [...prefix, "sh", "-c", `${setup}\n${script}`, "sh", directory];
  const output = await $`${command}`.nothrow().quiet();
  if (output.exitCode !== 0) throw new Error(`listing ${directory}: ${output.stderr}`);
  const [found = "", sums = "", xattrs = ""] = output.stdout.toString("latin1").split("\x01");
  const content = readSums(sums);
  const attributes = readXattrs(xattrs);
  const groups = new Map<string, string>();
  const lines: [string, string][] = [];
  const fields = found.split("\0");
  for (let index = 0; index + 2 < fields.length; index += 3) {
    const [path = "", about = "", identity = ""] = fields.slice(index, index + 3);
    const [links = "", inode = "", size = ""] = identity.split(" ");
    lines.push([path, `${about}|${inode}|${links}|${size}`]);
  }
  lines.sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    lines.map(([path, line]) => {
      const [about = "", inode = "", links = "", size = ""] = line.split("|");
      const directoryOrLink = !about.startsWith("f");
      if (!directoryOrLink && links !== "1" && !groups.has(inode)) groups.set(inode, path);
      const rest = directoryOrLink
        ? ""
        : ` size=${size} same-as=${groups.get(inode) ?? ""} sha256=${content.get(path)}`;
      return [path, `${about}${rest} xattrs=${attributes.get(path) ?? ""}`];
    }),
  );
}

/** `HASH  PATH\0` each. */
function readSums(text: string): ReadonlyMap<string, string> {
  const entries = text.split("\0").filter((entry) => entry !== "");
  return new Map(entries.map((entry) => [entry.slice(66), entry.slice(0, 64)]));
}

/** Blocks of `# file: PATH` (odd bytes as \ooo, getfattr(1)) and `name=0xhex` lines; overlayfs keeps its own to itself. */
function readXattrs(text: string): ReadonlyMap<string, string> {
  const blocks = text.split("\n\n").filter((block) => block.startsWith("# file: "));
  return new Map(
    blocks.map((block) => {
      const [head = "", ...lines] = block.split("\n");
      const path = head
        .slice("# file: ".length)
        .replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
      return [path === "." ? "." : `./${path}`, lines.filter(Boolean).sort().join(",")];
    }),
  );
}

/** What differs, a line each: `path: theirs → ours`; empty when the trees are equal. */
export function differences(theirs: Listing, ours: Listing): readonly string[] {
  const paths = [...new Set([...theirs.keys(), ...ours.keys()])].sort();
  return paths
    .filter((path) => theirs.get(path) !== ours.get(path))
    .map((path) => `${path}:\n  theirs ${theirs.get(path) ?? "none"}\n  ours   ${ours.get(path) ?? "none"}`);
}
