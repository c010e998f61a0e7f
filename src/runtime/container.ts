/** A container that was created before, as every command after `create` finds it. */
import { isFrozen } from "../cgroup/processes.ts";
import { DevboxError } from "../core/errors.ts";
import { isAlive } from "../host/process-identity.ts";
import type { ContainerStatus, State } from "../oci/runtime.ts";
import { isAwaited } from "./fifos.ts";
import { type ContainerRecord, readRecord } from "./record.ts";
import { type ContainerPaths, containerPaths } from "./state-directory.ts";
import { statusOf } from "./status.ts";

export interface KnownContainer {
  readonly paths: ContainerPaths;
  readonly record: ContainerRecord;
}

/** @throws DevboxError CONTAINER_NOT_FOUND */
export function findContainer(root: string, id: string): KnownContainer {
  const paths = containerPaths(root, id);
  const record = readRecord(paths);
  if (record === undefined) throw noContainer(id);
  return { paths, record };
}

/** podman and containerd look for "does not exist". */
export function noContainer(id: string): DevboxError {
  return new DevboxError("CONTAINER_NOT_FOUND", { step: `container ${id}`, because: "container does not exist" });
}

export function containerStatus({ paths, record }: KnownContainer): ContainerStatus {
  const { phase, init, cgroup } = record;
  const alive = init !== undefined && isAlive(init);
  return statusOf({
    phase,
    isAlive: alive,
    isWaiting: alive && isAwaited(paths),
    isFrozen: alive && cgroup !== undefined && isFrozen(cgroup),
  });
}

/** What hooks get. A process that has ended has no pid any more. */
export function stateOf(record: ContainerRecord, status: ContainerStatus): State {
  const { id, bundle, init, config } = record;
  const { ociVersion, annotations } = config;
  return {
    ociVersion,
    id,
    status,
    ...(status === "stopped" || init === undefined ? {} : { pid: init.pid }),
    bundle,
    ...(annotations === undefined ? {} : { annotations }),
  };
}
