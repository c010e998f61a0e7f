/** The directories from the destination down to the entry under way, open: neighbours in an archive share most of them. */
import { mkdirSync } from "node:fs";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { type ByteString, display } from "../byte-string.ts";
import { nameIn, type Opened, openDirectoryIn } from "./at.ts";

export interface DirectoryChain extends Disposable {
  /** The directory below `top` that these names lead to, made where it is missing; open until the next call. */
  enter(names: readonly ByteString[]): number;
}

export function createDirectoryChain(top: number): DirectoryChain {
  const links: { readonly name: ByteString; readonly directory: Opened }[] = [];
  const leave = (depth: number): void => {
    for (const link of links.splice(depth).reverse()) link.directory[Symbol.dispose]();
  };
  return {
    enter(names) {
      let shared = 0;
      while (shared < links.length && links[shared]?.name === names[shared]) shared++;
      leave(shared);
      for (const name of names.slice(shared)) {
        const parent = links.at(-1)?.directory.fd ?? top;
        links.push({ name, directory: openOrMake(parent, name) });
      }
      return links.at(-1)?.directory.fd ?? top;
    },
    [Symbol.dispose]: () => leave(0),
  };
}

function openOrMake(parent: number, name: ByteString): Opened {
  try {
    return openDirectoryIn(parent, name);
  } catch (error) {
    const errno = errnoName(error);
    if (errno === "ENOTDIR" || errno === "ELOOP")
      throw new DevboxError("COPY_FAILED", { step: display(name), because: "a file or a symbolic link is in the way" });
    if (errno !== "ENOENT") throw error;
  }
  mkdirSync(nameIn(parent, name), 0o755);
  return openDirectoryIn(parent, name);
}
