/** `pause` and `resume`: all processes of a container by the freezer of its control group. */
import { freeze, thaw } from "../cgroup/processes.ts";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError } from "../core/errors.ts";
import { containerStatus, findContainer, type KnownContainer } from "./container.ts";
import { checkTransition } from "./status.ts";

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE, CGROUP_UNAVAILABLE */
export async function pauseContainer(root: string, id: string): Promise<void> {
  const container = findContainer(root, id);
  checkTransition("pause", id, containerStatus(container));
  await freeze(requireCgroup(container, "pause"));
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE */
export async function resumeContainer(root: string, id: string): Promise<void> {
  const container = findContainer(root, id);
  checkTransition("resume", id, containerStatus(container));
  await thaw(requireCgroup(container, "resume"));
}

/** @param verb what is to be done to the container */
export function requireCgroup({ record: { id, cgroup } }: KnownContainer, verb: string): Cgroup {
  if (cgroup !== undefined) return cgroup;
  const because = "it has no control group: none could be made when it was created";
  throw new DevboxError("CGROUP_UNAVAILABLE", { step: `${verb} container ${id}`, because });
}
