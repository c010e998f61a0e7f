/** What a bundle is made from and what it is, as types; `create.ts` makes it. */
import type { HostFacts } from "../host/facts.ts";
import type { ImageConfig } from "../oci/image.ts";
import type { Capabilities, Hooks, IdMap, RuntimeConfig, Seccomp } from "../oci/runtime.ts";
import type { BoxPaths, StoredImage } from "../store/types.ts";
import type { RunOptions } from "./options.ts";
import type { RootfsPlan } from "./rootfs-plan.ts";

/** What a box starts from. */
export type BundleSource =
  | { readonly kind: "image"; readonly image: StoredImage }
  /** `dir:ROOTFS`: an absolute path to a tree; `config` where there is one beside it. */
  | { readonly kind: "directory"; readonly path: string; readonly config?: ImageConfig };

/** What the network driver contributes (network/driver.ts `NetworkContribution`, which bundle does not know). */
export interface BundleNetwork {
  readonly hooks: Hooks;
  /** Nameservers of the box's resolv.conf; empty: the host's file as it is. */
  readonly nameservers: readonly string[];
  /** The box's own address for its line in /etc/hosts. */
  readonly address: string | undefined;
}

export interface BundleInput {
  readonly source: BundleSource;
  readonly options: RunOptions;
  readonly facts: HostFacts;
  readonly idMap: IdMap;
  /** `Store.root`, absolute. */
  readonly storeRoot: string;
  /** Its directory exists. */
  readonly box: BoxPaths;
  readonly network: BundleNetwork;
  /** The capability sets for the user of the box, whom only the image's files name: sandbox's `capabilitySets`, say. */
  readonly capabilitySets: (uid: number) => Capabilities;
  /** undefined: unconfined. */
  readonly seccomp: Seccomp | undefined;
}

export interface Bundle {
  readonly config: RuntimeConfig;
  readonly rootfs: RootfsPlan;
  /** For each bind source of config.json: what it is on the host, symlinks followed. */
  readonly sourceKinds: ReadonlyMap<string, SourceKind>;
}

/** "file" is whatever is not a directory: sockets and devices too. */
export type SourceKind = "directory" | "file";
