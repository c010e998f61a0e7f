/** `update`: other limits for a container that is there. */

import type { HostFacts } from "../host/facts.ts";
import type { LinuxResources } from "../oci/runtime.ts";
import { containerStatus, findContainer, noContainer } from "./container.ts";
import { updateResources } from "./container-cgroup.ts";
import { requireCgroup } from "./pause.ts";
import { writeRecord } from "./record.ts";
import { containerPaths, lockContainer } from "./state-directory.ts";
import { checkTransition } from "./status.ts";

export interface UpdateRequest {
  readonly root: string;
  readonly id: string;
  /** What is left out stays as it is. */
  readonly resources: LinuxResources;
  readonly facts: HostFacts;
  readonly warn: (warning: string) => void;
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE, and those of the control groups */
export function updateContainer({ root, id, resources, facts, warn }: UpdateRequest): void {
  using lock = lockContainer(containerPaths(root, id));
  if (lock === undefined) throw noContainer(id);
  const container = findContainer(root, id);
  const { paths, record } = container;
  checkTransition("update", id, containerStatus(container));
  for (const line of updateResources(requireCgroup(container, "update"), resources, facts)) warn(line);
  const before = record.config.linux.resources ?? {};
  const merged: LinuxResources = {
    ...before,
    ...resources,
    memory: { ...before.memory, ...resources.memory },
    cpu: { ...before.cpu, ...resources.cpu },
  };
  writeRecord(paths, { ...record, config: { ...record.config, linux: { ...record.config.linux, resources: merged } } });
}
