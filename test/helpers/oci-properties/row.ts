/** A row of the table of config.json's properties: a change of a config.json, and what comes of it inside the box. */
import type { Config } from "../oci-runtime.ts";

/** What a row is given to change a config.json by. */
export interface Place {
  /** Of the bundle. */
  readonly directory: string;
  /** A directory of the host, with the file `file` (root's, 0644) and the directory `sub`; sources of mounts. */
  readonly source: string;
  /** What is written there by who is outside of the box (hooks, agents) is seen behind what the box printed. */
  readonly outside: string;
  /** pid of a process in a new namespace of each kind, to be joined. */
  readonly peer: number;
  /** pid of a process in the peer's user namespace, whose mount namespace shows what the host's does. */
  readonly viewer: number;
  /** Of the container. */
  readonly id: string;
}

/**
 * What is seen: stdout of the box and what stands in `outside`, without white space at the ends; or that no box comes up, and
 * what is said (an error names the place).
 */
export type Seen = string | RegExp | ((place: Place) => string) | { readonly refused: RegExp };

export interface Row {
  /** Places of config.json, with `[]` for members of lists and `*` for names that are anybody's. */
  readonly of: string | readonly string[];
  /** The value, where each of those that a property may have has a row. */
  readonly word?: string;
  readonly change?: (config: Config, place: Place) => void;
  /** Shell script of the box: busybox and nothing else. */
  readonly script?: string;
  /** devbox runs in the network namespace of the peer, as its root: there is a device `table0`. */
  readonly besidePeer?: true;
  /** The script is a further process, in a box that sleeps (`devbox oci exec`). */
  readonly exec?: true;
  /** What is said beside it; left out: nothing. */
  readonly warns?: RegExp;
  readonly sees: Seen | { readonly root: Seen; readonly user: Seen };
}

export const isRoot = process.getuid?.() === 0;

export function places({ of }: Row): readonly string[] {
  return typeof of === "string" ? [of] : of;
}

export function title(row: Row): string {
  return [places(row).join(", "), row.word].filter(Boolean).join(" = ");
}

/** For the person who runs the test. */
export function expectation({ sees }: Row): Seen {
  if (typeof sees === "object" && "root" in sees) return isRoot ? sees.root : sees.user;
  return sees;
}

export function withoutNamespace(config: Config, ...types: readonly string[]): void {
  config.linux.namespaces = config.linux.namespaces.filter(({ type }: Config) => !types.includes(type));
}
