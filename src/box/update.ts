/** `devbox update`: other limits and another restart policy for a box, running or not. */
import type { RestartPolicy } from "../bundle/options.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { LinuxResources } from "../oci/runtime.ts";
import { updateResources } from "../runtime/container-cgroup.ts";
import { lockBoxRecord } from "../store/box-record.ts";
import { isAlive } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { openSettled } from "./settled.ts";

export interface UpdateRequest {
  readonly resources: LinuxResources;
  /** undefined: as it is. */
  readonly restart: RestartPolicy | undefined;
}

/** @throws DevboxError BOX_NOT_FOUND, BOX_STATE, CGROUP_UNAVAILABLE */
export async function updateBox(context: Context, name: string, { resources, restart }: UpdateRequest): Promise<void> {
  const { store, facts } = openSettled(context);
  const { paths, record } = findBox(store, name);
  const step = `update the box ${record.name}`;
  using _held = await lockBoxRecord(context, paths);
  const settings = readSettings(paths);
  if (settings === undefined) throw new DevboxError("BOX_STATE", { step, because: "it runs in the foreground" });
  const { options, cgroup } = settings;
  if (restart !== undefined && restart.name !== "no" && record.ephemeral) {
    throw new DevboxError("BOX_STATE", { step, because: "it is removed when it ends: it cannot be started again" });
  }
  if (Object.keys(resources).length > 0 && isAlive(record)) {
    if (cgroup === undefined) throw new DevboxError("CGROUP_UNAVAILABLE", { step, because: "it has no control group" });
    for (const line of updateResources(cgroup, resources, facts)) context.log.warn(line);
  }
  const changed = {
    ...options,
    restart: restart ?? options.restart,
    resources: combine(options.resources, resources),
  };
  writeSettings(paths, { ...settings, options: changed });
  recordEvent(store, boxEvent("update", record));
}

/** What is asked for now wins; what is not named stays. */
function combine(before: LinuxResources, now: LinuxResources): LinuxResources {
  return {
    ...before,
    ...now,
    ...(before.memory === undefined && now.memory === undefined ? {} : { memory: { ...before.memory, ...now.memory } }),
    ...(before.cpu === undefined && now.cpu === undefined ? {} : { cpu: { ...before.cpu, ...now.cpu } }),
  };
}
