/** The control group of a box, where this machine lets the user have one: limits, freezing, and what it uses. */
import type { Cgroup } from "../cgroup/types.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { LinuxResources } from "../oci/runtime.ts";
import { makeContainerCgroup } from "../runtime/container-cgroup.ts";

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
      linux: { namespaces: [], cgroupsPath: `devbox-${id.slice(0, 12)}`, resources: limits },
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
