/**
 * What layers mean, written down once more, as simply as possible: a tree in memory, archives unpacked one over another.
 * Whiteouts of a layer come first, since they speak of the layers below only; then its entries, in order.
 */
import type { TarItem } from "../../helpers/tar-builder.ts";

export type Node =
  | { readonly kind: "directory"; readonly children: Map<string, Node>; uid: number }
  | { readonly kind: "file"; readonly content: string }
  | { readonly kind: "symlink"; readonly target: string };

type Directory = Extract<Node, { readonly kind: "directory" }>;

/** A layer that cannot be: the archive is refused. */
export class Refused extends Error {}

const newDirectory = (uid = 0): Directory => ({ kind: "directory", children: new Map(), uid });

/** path → kind and what tells nodes apart. Throws Refused. */
export function unpack(layers: readonly (readonly TarItem[])[]): ReadonlyMap<string, string> {
  const root = newDirectory();
  for (const layer of layers) unpackLayer(root, layer);
  const names = new Map<Node, string>();
  return new Map([...describe(root, ".", names)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function unpackLayer(root: Directory, items: readonly TarItem[]): void {
  const whiteouts = items.filter((item) => String(item.path).includes(".wh."));
  for (const item of whiteouts) hide(root, String(item.path));
  for (const item of items) {
    // A whiteout in a directory that is nowhere else makes the directory.
    if (whiteouts.includes(item)) parentOf(root, String(item.path).split("/"));
    else put(root, item);
  }
}

function hide(root: Directory, path: string): void {
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  let at: Node | undefined = root;
  for (const part of parts) at = at?.kind === "directory" ? at.children.get(part) : undefined;
  if (at?.kind !== "directory") return;
  if (name === ".wh..wh..opq") at.children.clear();
  else at.children.delete(name.slice(".wh.".length));
}

function put(root: Directory, item: TarItem): void {
  const parts = String(item.path).split("/").filter(Boolean);
  const name = parts.at(-1) ?? "";
  const parent = parentOf(root, parts);
  const there = parent.children.get(name);
  if (String(item.path).endsWith("/")) {
    if (there?.kind === "directory") there.uid = item.uid ?? 0;
    else parent.children.set(name, newDirectory(item.uid));
  } else if (item.type === "2") {
    parent.children.set(name, { kind: "symlink", target: String(item.link) });
  } else if (item.type === "1") {
    if (String(item.link).startsWith(`${item.path}/`)) throw new Refused(String(item.path));
    parent.children.set(name, linked(root, String(item.link)));
  } else {
    parent.children.set(name, { kind: "file", content: String(item.content) });
  }
}

function linked(root: Directory, target: string): Node {
  const parts = target.split("/");
  const directory = walk(root, parts.slice(0, -1), false);
  const node = directory?.children.get(parts.at(-1) ?? "");
  if (node === undefined || node.kind === "directory") throw new Refused(target);
  return node;
}

function parentOf(root: Directory, parts: readonly string[]): Directory {
  const parent = walk(root, parts.slice(0, -1), true);
  if (parent === undefined) throw new Refused(parts.join("/"));
  return parent;
}

/** Follows symbolic links within the root; makes what is missing if told to. */
function walk(root: Directory, parts: readonly string[], make: boolean): Directory | undefined {
  const waiting = [...parts].reverse();
  const way = [root];
  for (let steps = 0; waiting.length > 0; steps++) {
    const part = waiting.pop() ?? "";
    const at = way.at(-1) ?? root;
    if (steps > 200) throw new Refused("a loop");
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (way.length > 1) way.pop();
      continue;
    }
    let next = at.children.get(part);
    if (next === undefined && !make) return undefined;
    if (next === undefined) {
      next = newDirectory();
      at.children.set(part, next);
    }
    if (next.kind === "file") throw new Refused(part);
    if (next.kind === "directory") way.push(next);
    else {
      if (next.target.startsWith("/")) way.length = 1;
      waiting.push(...next.target.split("/").reverse());
    }
  }
  return way.at(-1);
}

function* describe(node: Node, path: string, names: Map<Node, string>): Generator<readonly [string, string]> {
  if (node.kind === "directory") {
    yield [path, `d ${node.uid}`];
    for (const [name, child] of node.children) yield* describe(child, `${path}/${name}`, names);
  } else if (node.kind === "symlink") yield [path, `l ${node.target}`];
  else yield [path, `f ${node.content}`];
}
