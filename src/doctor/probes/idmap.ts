/** Idmapped mounts (mount_setattr(2)) for an ordinary user: of a tmpfs of our own, which is where the kernel allows it. */
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  FSCONFIG_CMD_CREATE,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_IDMAP,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
} from "../../../ffi/constants.ts";
import { defaultIdMap } from "../../host/id-map.ts";
import type { DataArgument, PlanBuilder } from "../../launch/plan.ts";
import { cloneWithUserNamespace, type MapWriter } from "../../launch/userns.ts";
import { type Finding, notTried, type Probe } from "../finding.ts";
import { type Outcome, tryInNamespaces } from "../trial.ts";

export const probeIdmap: Probe = async ({ host }) => {
  const rootInside = { uid: 0, gid: 0, helpers: host.helpers };
  const steps = (plan: PlanBuilder): void => idmapSteps(plan, rootInside);
  return [judgeIdmap(await tryInNamespaces("mount with an id map", host, steps, { map: defaultIdMap(host) }))];
};

/** `struct mount_attr`: attr_set, attr_clr, propagation, userns_fd, 8 bytes each. */
const mountAttrBytes = 32;
const usernsFdOffset = 24;

/** The map must be another namespace's than the file system's own: a second one is made, and held until it is used. */
function idmapSteps(plan: PlanBuilder, host: MapWriter): void {
  const hold = plan.pipe("make a pipe that holds the second namespace");
  const identity = [{ containerID: 0, hostID: 0, size: 1 }];
  const request = {
    label: "create a second user namespace",
    flags: 0,
    map: { uid: identity, gid: identity },
    host,
  };
  const child = cloneWithUserNamespace(plan, request, () => {
    plan.syscall("close the writing end", "close", [{ slot: hold.write }]);
    plan.syscall("wait until it was used", "read", [{ slot: hold.read }, plan.buffer(1), 1]);
  });
  const namespace = openNamespace(plan, child);
  const [context, mount] = [plan.slot(), plan.slot()];
  plan.syscall("open a tmpfs", "fsopen", [plan.string("tmpfs"), FSOPEN_CLOEXEC], { save: context });
  plan.syscall("create a tmpfs", "fsconfig", [{ slot: context }, FSCONFIG_CMD_CREATE, 0, 0, 0]);
  plan.syscall("mount a tmpfs", "fsmount", [{ slot: context }, FSMOUNT_CLOEXEC, 0], { save: mount });
  const attributes = mountAttributes(plan);
  plan.add({ kind: "store", slot: namespace, into: attributes.data, offset: usernsFdOffset, width: 8 });
  const target = [{ slot: mount }, plan.string(""), AT_EMPTY_PATH] as const;
  plan.syscall("map the ids of a mount", "mount_setattr", [...target, attributes, mountAttrBytes]);
}

function mountAttributes(plan: PlanBuilder): DataArgument {
  const attributes = plan.buffer(mountAttrBytes);
  new DataView(attributes.data.bytes.buffer).setBigUint64(0, BigInt(MOUNT_ATTR_IDMAP), true);
  return attributes;
}

/** @returns the slot of a descriptor of the user namespace of the process in `pid`. */
function openNamespace(plan: PlanBuilder, pid: number): number {
  const prefix = new TextEncoder().encode("/proc/");
  const path = plan.buffer(prefix.length + 24);
  path.data.bytes.set(prefix);
  plan.add({ kind: "format", slot: pid, into: path.data, offset: prefix.length });
  const [directory, namespace] = [plan.slot(), plan.slot()];
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  plan.syscall("open /proc of its process", "openat", [AT_FDCWD, path, flags, 0], { save: directory });
  const relative = plan.string("ns/user");
  plan.syscall("open the second namespace", "openat", [{ slot: directory }, relative, O_RDONLY | O_CLOEXEC, 0], {
    save: namespace,
  });
  return namespace;
}

export function judgeIdmap(outcome: Outcome): Finding {
  const name = "idmapped mounts";
  if (outcome.ok) return { name, status: "ok", detail: "of our own tmpfs" };
  if (outcome.isUntried) return notTried(name, `${outcome.step}: ${outcome.why}`);
  const detail = `${outcome.step}: ${outcome.why}; other ways to shift owners are used`;
  return { name, status: "warn", detail, fix: "a kernel of at least 6.3" };
}
