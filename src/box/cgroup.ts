/** The control group of a box, where this machine lets the user have one: limits, freezing, and what it uses. */
import { closeSync } from "node:fs";
import { openProcs } from "../cgroup/processes.ts";
import type { Cgroup } from "../cgroup/types.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { DeviceRule, LinuxResources } from "../oci/runtime.ts";
import { endCgroup, makeContainerCgroup } from "../runtime/container-cgroup.ts";

/**
 * A box is in a user namespace, where nobody can make nodes of devices: it has those of its /dev, which the user chose, and
 * there is nothing to add for its group.
 */
const anyDevice: readonly DeviceRule[] = [{ allow: true, access: "rwm" }];

/**
 * Makes the group and sets the limits. As docker does, limits that this machine cannot set are warned of, and the box runs
 * without them.
 * @returns undefined: it has none
 */
export async function makeBoxCgroup(
  { log }: Pick<Context, "log">,
  id: string,
  resources: LinuxResources,
  facts: HostFacts,
): Promise<Cgroup | undefined> {
  const make = (limits: LinuxResources) =>
    makeContainerCgroup({
      id,
      linux: { namespaces: [], cgroupsPath: `devbox-${id.slice(0, 12)}`, resources: { devices: anyDevice, ...limits } },
      facts,
      manager: "cgroupfs",
      warn: (line) => log.warn(line),
    });
  try {
    return await make(resources);
  } catch (error) {
    if (!(error instanceof DevboxError)) throw error;
    if (Object.keys(resources).length === 0) return undefined;
    log.warn(`the limits of the box have no effect: ${error.because ?? error.step}`);
  }
  return await make({}).catch(() => undefined);
}

/** The group of a box in the foreground: gone with what ends it. */
export interface BoxLimits extends AsyncDisposable {
  /** Descriptors by which its first process gets into the group. */
  readonly procs: readonly number[];
}

/** @returns undefined: there can be none, which was said */
export async function makeLimits(
  context: Pick<Context, "log">,
  id: string,
  resources: LinuxResources,
  facts: HostFacts,
): Promise<BoxLimits | undefined> {
  const cgroup = await makeBoxCgroup(context, id, resources, facts);
  if (cgroup === undefined) return undefined;
  const procs = await openOrEnd(cgroup);
  return {
    procs,
    async [Symbol.asyncDispose]() {
      for (const fd of procs) closeSync(fd);
      await endCgroup(cgroup);
    },
  };
}

/** As `openProcs`; a group that cannot be entered is not left behind. */
export async function openOrEnd(cgroup: Cgroup): Promise<readonly number[]> {
  try {
    return openProcs(cgroup);
  } catch (error) {
    await endCgroup(cgroup).catch(() => {});
    throw error;
  }
}
