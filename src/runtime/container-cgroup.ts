/** The control group of a container: where config.json says, or one by its id; none where nobody lets us and nothing is limited. */
import { applyResources } from "../cgroup/apply.ts";
import { neededControllers } from "../cgroup/controllers.ts";
import { createCgroup, intendedCgroup } from "../cgroup/create.ts";
import { readHostCgroups } from "../cgroup/host.ts";
import { chooseCgroupPath } from "../cgroup/path.ts";
import { killCgroup } from "../cgroup/processes.ts";
import { removeCgroup } from "../cgroup/remove.ts";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { LinuxConfig, LinuxResources } from "../oci/runtime.ts";
import { isRootOfMachine } from "./state-directory.ts";

/** `disabled`: no container has a group of its own. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

export interface ContainerCgroupRequest {
  readonly id: string;
  readonly linux: LinuxConfig;
  readonly facts: HostFacts;
  readonly manager: CgroupManager;
  readonly warn: (warning: string) => void;
  /** Told before it is made: whoever is killed meanwhile has said what to remove. */
  readonly announce?: (cgroup: Cgroup) => void;
}

/**
 * Makes the group and sets the limits of config.json.
 * @returns undefined: there is none. @throws DevboxError where a limit was asked for that cannot be had.
 */
export async function makeContainerCgroup(request: ContainerCgroupRequest): Promise<Cgroup | undefined> {
  const { linux, facts, manager, warn } = request;
  const { resources = {} } = linux;
  const rootless = !isRootOfMachine(facts);
  const creation = manager === "disabled" ? unavailable("control groups are disabled") : create(request, rootless);
  if (creation.kind === "unavailable") {
    if (neededControllers({ ...resources, devices: [] }, 2).length > 0) throw creation.error;
    return undefined;
  }
  const { cgroup } = creation;
  try {
    const { ignored } = applyResources(cgroup, { ...resources, devices: resources.devices ?? [] }, { rootless });
    for (const line of ignored) warn(line);
    return cgroup;
  } catch (error) {
    await removeCgroup(cgroup);
    throw error;
  }
}

function create(
  { id, linux, facts, manager, announce }: ContainerCgroupRequest,
  rootless: boolean,
): ReturnType<typeof createCgroup> {
  const host = readHostCgroups();
  if (host === undefined) return unavailable("no control groups are mounted");
  const { cgroupsPath } = linux;
  const systemd = manager === "systemd";
  const path = chooseCgroupPath({ cgroupsPath, id, ...host, rootless, uid: facts.uid, systemd });
  announce?.(intendedCgroup({ ...host, path }));
  return createCgroup({ ...host, path, rootless });
}

function unavailable(because: string): { readonly kind: "unavailable"; readonly error: DevboxError } {
  return {
    kind: "unavailable",
    error: new DevboxError("CGROUP_UNAVAILABLE", { step: "set linux.resources", because }),
  };
}

/** Changes the limits of a container that is there. */
export function updateResources(cgroup: Cgroup, resources: LinuxResources, facts: HostFacts): readonly string[] {
  return applyResources(cgroup, resources, { rootless: !isRootOfMachine(facts) }).ignored;
}

/** Ends whoever is left in the group, and removes it. */
export async function endCgroup(cgroup: Cgroup): Promise<void> {
  await killCgroup(cgroup);
  await removeCgroup(cgroup);
}
