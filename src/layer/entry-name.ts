/** What the name of an archive's entry means: image-spec layer.md "Representing Changes" and "Whiteouts". */
import { DevboxError } from "../core/errors.ts";
import { type ByteString, display } from "./byte-string.ts";

export type EntryName =
  | { readonly kind: "root" }
  /** Bookkeeping of aufs (`.wh..wh.plnk`, `.wh..wh.aufs`): says nothing about the file system. */
  | { readonly kind: "ignored" }
  /** `.wh..wh..opq` in `directory`. */
  | { readonly kind: "opaque"; readonly directory: ByteString }
  /** `.wh.NAME`, or just a file. */
  | { readonly kind: "whiteout" | "plain"; readonly directory: ByteString; readonly name: ByteString };

export const whiteoutPrefix = ".wh.";
const aufsPrefix = ".wh..wh.";
export const opaqueName = ".wh..wh..opq";

/** 16 × PATH_MAX. Longer ones would only serve to make us busy. */
const maxPathBytes = 65536;

/** Such paths need no cleaning: nearly all. */
const needsCleaning = /^\/|^\.\/|\/$|\/\/|\/\.\/|\/\.$|^\.$/;

/**
 * A path as relative components joined with single slashes, "" for the root. Leading slashes mean the layer's root.
 * Throws LAYER_ESCAPE for "..": a tool that writes layers has no use for it, whoever does wants out.
 */
export function cleanPath(path: ByteString): ByteString {
  if (path.length > maxPathBytes) {
    throw new DevboxError("LAYER_INVALID", {
      step: display(path),
      because: `a name of ${path.length} bytes is too long`,
    });
  }
  const cleaned = needsCleaning.test(path)
    ? path
        .split("/")
        .filter((part) => part !== "" && part !== ".")
        .join("/")
    : path;
  if (cleaned.includes("..") && cleaned.split("/").includes("..")) {
    throw new DevboxError("LAYER_ESCAPE", { step: display(path), because: 'its name has a ".." component' });
  }
  return cleaned;
}

export function parseEntryName(path: ByteString): EntryName {
  const cleaned = cleanPath(path);
  if (cleaned === "") return { kind: "root" };
  const slash = cleaned.lastIndexOf("/");
  const directory = slash === -1 ? "" : cleaned.slice(0, slash);
  const name = cleaned.slice(slash + 1);
  if (!cleaned.includes(whiteoutPrefix)) return { kind: "plain", directory, name };
  const parents = directory.split("/");
  if (parents.some((part) => part.startsWith(aufsPrefix))) return { kind: "ignored" };
  if (parents.some((part) => part.startsWith(whiteoutPrefix))) throw badWhiteout(path, "a whiteout has nothing inside");
  if (name === opaqueName) return { kind: "opaque", directory };
  if (name.startsWith(aufsPrefix)) return { kind: "ignored" };
  if (!name.startsWith(whiteoutPrefix)) return { kind: "plain", directory, name };
  const hidden = name.slice(whiteoutPrefix.length);
  if (hidden === "" || hidden === "." || hidden === "..") throw badWhiteout(path, "it hides no name that can be");
  return { kind: "whiteout", directory, name: hidden };
}

function badWhiteout(path: ByteString, because: string): DevboxError {
  return new DevboxError("LAYER_INVALID", { step: display(path), because });
}
