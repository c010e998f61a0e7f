/**
 * Where the store is, and that it can be used. Everything devbox keeps lies below one directory that belongs to the
 * user; it is made on demand. On the warm path of `run` this costs three system calls.
 */
import { accessSync, constants, mkdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { DevboxError, errnoName } from "../core/errors.ts";
import { atomicWrite } from "./atomic-write.ts";
import type { Store } from "./types.ts";

/** image-spec image-layout.md "oci-layout file". */
const layoutMarker = JSON.stringify({ imageLayoutVersion: "1.0.0" });

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The directory that holds the store: `$DEVBOX_STORE`, else `$XDG_DATA_HOME/devbox`, else `~/.local/share/devbox`.
 * A relative XDG_DATA_HOME is ignored, as the XDG base directory specification demands.
 * @throws DevboxError STORE_UNUSABLE when DEVBOX_STORE is relative or no home is known
 */
export function storeRoot(env: Environment): string {
  const chosen = env["DEVBOX_STORE"];
  if (chosen !== undefined && chosen !== "") {
    if (chosen.startsWith("/")) return chosen;
    throw unusable(chosen, "DEVBOX_STORE must be an absolute path", "export DEVBOX_STORE=/absolute/path");
  }
  const dataHome = env["XDG_DATA_HOME"];
  if (dataHome?.startsWith("/")) return join(dataHome, "devbox");
  const home = env["HOME"];
  if (!home?.startsWith("/")) throw unusable("~/.local/share/devbox", "HOME is not set");
  return join(home, ".local/share/devbox");
}

/**
 * The store of this environment, made when it is missing.
 * @throws DevboxError STORE_UNUSABLE naming the directory and the reason
 */
export function openStore(env: Environment): Store {
  const wanted = storeRoot(env);
  try {
    return openExisting(wanted) ?? create(wanted);
  } catch (error) {
    if (error instanceof DevboxError) throw error;
    throw unusable(wanted, explain(error, wanted), undefined, error);
  }
}

/** undefined: not there, or not complete yet. */
function openExisting(wanted: string): Store | undefined {
  try {
    const store = pathsBelow(realpathSync.native(wanted));
    accessSync(join(store.images, "oci-layout"), constants.R_OK);
    accessSync(store.root, constants.W_OK | constants.X_OK);
    return store;
  } catch (error) {
    if (errnoName(error) === "ENOENT") return undefined;
    throw error;
  }
}

function create(wanted: string): Store {
  mkdirSync(wanted, { recursive: true, mode: 0o700 });
  const store = pathsBelow(realpathSync.native(wanted));
  for (const directory of [store.images, store.layers, store.ingest, store.locks]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  mkdirSync(join(store.boxes, ".live"), { recursive: true, mode: 0o700 });
  mkdirSync(join(store.boxes, ".names"), { recursive: true, mode: 0o700 });
  mkdirSync(join(store.images, "blobs/sha256"), { recursive: true, mode: 0o700 });
  // Last, since `openExisting` takes it as the sign that all the rest is there. index.json stands by itself:
  // `images.ts` reads a missing one as empty, but other tools want to find one in a layout.
  const index = join(store.images, "index.json");
  if (!exists(index)) atomicWrite(index, JSON.stringify({ schemaVersion: 2, manifests: [] }), store.ingest);
  atomicWrite(join(store.images, "oci-layout"), layoutMarker, store.ingest);
  return store;
}

function pathsBelow(root: string): Store {
  const shared = join(root, "store");
  return {
    root,
    images: join(shared, "images"),
    layers: join(shared, "layers"),
    ingest: join(shared, "ingest"),
    locks: join(shared, "locks"),
    boxes: join(root, "boxes"),
  };
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

function explain(error: unknown, wanted: string): string | undefined {
  switch (errnoName(error)) {
    case "EROFS":
      return "the file system is read-only";
    case "EACCES":
    case "EPERM":
      return "you may not write there";
    case "ENOTDIR":
    case "EEXIST":
      return isFile(wanted) ? "it is a file, not a directory" : "a part of its path is not a directory";
    default:
      return undefined;
  }
}

function isFile(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function unusable(where: string, because: string | undefined, hint?: string, cause?: unknown): DevboxError {
  return new DevboxError("STORE_UNUSABLE", {
    step: `open the store ${where}`,
    ...(because === undefined ? {} : { because }),
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
