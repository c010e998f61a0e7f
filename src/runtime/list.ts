/** `list` and `state`: what is known of containers, in runc's shape: the spec's State and a few members more. */
import { readFileSync } from "node:fs";
import { findAccount } from "../host/read-facts.ts";
import type { ContainerStatus } from "../oci/runtime.ts";
import { containerStatus, type KnownContainer } from "./container.ts";
import { readRecord } from "./record.ts";
import { containerPaths, listContainerIds } from "./state-directory.ts";

export interface DescribedState {
  readonly ociVersion: string;
  readonly id: string;
  /** 0: there is none (any more). */
  readonly pid: number;
  readonly status: ContainerStatus;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

export function describeContainer(container: KnownContainer): DescribedState {
  const { id, bundle, rootfs, created, owner, init, config } = container.record;
  const { ociVersion, annotations } = config;
  const status = containerStatus(container);
  return {
    ociVersion,
    id,
    pid: status === "stopped" || init === undefined ? 0 : init.pid,
    status,
    bundle,
    rootfs,
    created,
    ...(annotations === undefined ? {} : { annotations }),
    owner: nameOf(owner),
  };
}

/** All containers of a root; one that cannot be read, or goes away meanwhile, is left out. */
export function listContainers(root: string): readonly DescribedState[] {
  return listContainerIds(root).flatMap((id) => {
    try {
      const paths = containerPaths(root, id);
      const record = readRecord(paths);
      return record === undefined ? [] : [describeContainer({ paths, record })];
    } catch {
      return [];
    }
  });
}

function nameOf(uid: number): string {
  try {
    return findAccount(readFileSync("/etc/passwd", "utf8"), uid)?.name ?? `#${uid}`;
  } catch {
    return `#${uid}`;
  }
}
