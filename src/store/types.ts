/** The store as plain data; the functions stand beside. */

import type { PortMapping } from "../core/ports.ts";
import type { Descriptor, Digest } from "../oci/descriptor.ts";
import type { ImageConfig, Manifest } from "../oci/image.ts";
import type { Reference } from "../oci/reference.ts";

/** Where everything lies: `$DEVBOX_STORE`, else `$XDG_DATA_HOME/devbox`, else `~/.local/share/devbox`. */
export interface Store {
  /** Absolute, real path; the paths below lie in it. */
  readonly root: string;
  /** OCI image layout. */
  readonly images: string;
  readonly layers: string;
  readonly boxes: string;
  /** Downloads under way, kept across runs to resume. */
  readonly ingest: string;
  readonly locks: string;
}

/** An applied layer on disk. */
export interface StoredLayer {
  readonly chainId: Digest;
  readonly diffId: Digest;
  /** Relative to `Store.root`, free of characters that overlayfs would need escaped: `store/layers/<hex>/fs`. */
  readonly path: string;
}

/** An image whose blobs and layers are all there, ready to run. */
export interface StoredImage {
  readonly reference: Reference;
  /** The image manifest of the chosen platform. */
  readonly manifestDescriptor: Descriptor;
  /** What the registry answered for the reference: differs from the manifest's when that is an index. */
  readonly topDigest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Base first, as in the manifest. */
  readonly layers: readonly StoredLayer[];
}

/** A box on disk: `boxes/<id>/`. */
export interface BoxPaths {
  readonly id: string;
  /** Absolute. */
  readonly directory: string;
  readonly config: string;
  readonly state: string;
  /** Held with flock for as long as the box's supervisor lives: whoever gets it knows that the box is dead. */
  readonly lock: string;
}

/**
 * Where a box is in its life. `restarting`: it has ended, and waits to be started again as its restart policy says.
 * "running" in a record may be out of date: `boxState` tells.
 */
export type BoxStatus = "created" | "running" | "paused" | "restarting" | "exited";

/** `boxes/<id>/state.json`. */
export interface BoxRecord {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Not for a box on a directory of the host. */
  readonly manifestDigest?: Digest;
  /** chainIDs of the layers, base first: prune keeps what a box refers to. */
  readonly chainIds: readonly Digest[];
  readonly created: string;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Remove the box when it has ended. */
  readonly ephemeral: boolean;
  readonly status: BoxStatus;
  /** Host pid of the init process while running or paused. */
  readonly pid?: number;
  /** Field 22 of /proc/PID/stat (proc_pid_stat(5)): with `bootId`, that of `pid`, which is another process's otherwise. */
  readonly startTime?: number;
  /** Of the machine's run in which `pid` and `monitorPid` were given. */
  readonly bootId?: string;
  /** The launcher that watches a detached box, or waits to start it again; of a box in the foreground, nothing. */
  readonly monitorPid?: number;
  /** As `startTime`, of `monitorPid`. */
  readonly monitorStartTime?: number;
  /** When it was started last (ISO 8601). */
  readonly startedAt?: string;
  /** When it ended last. */
  readonly finishedAt?: string;
  /** Wait status as an exit code, once known. */
  readonly exitCode?: number;
  /** Why it could not be started, in words. */
  readonly error?: string;
  /** The kernel has killed one of its processes for want of memory. */
  readonly oomKilled?: boolean;
  /** How often its restart policy has started it again since the user did. */
  readonly restartCount?: number;
  /** How long its restart policy has waited last, in milliseconds: it doubles while the box ends soon. */
  readonly restartDelayMs?: number;
  /** The user has ended it: its restart policy leaves it alone. */
  readonly stopped?: true;
  /** Named volumes that it mounts: they cannot be removed. */
  readonly volumes?: readonly string[];
  /** Ports as they are bound while it runs, free ones filled in. */
  readonly ports?: readonly PortMapping[];
  /** Not in the file of the record: `boxState` adds it. */
  readonly health?: BoxHealth;
}

/** `boxes/<id>/health.json`: what the checks of its health have found since it was started. */
export interface BoxHealth {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly {
    /** ISO 8601. */
    readonly start: string;
    readonly end: string;
    readonly exitCode: number;
    /** At most 4096 characters. */
    readonly output: string;
  }[];
}
