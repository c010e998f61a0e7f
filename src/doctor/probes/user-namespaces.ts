/** User namespaces, and whether their root may do what root does: the ground on which boxes stand. */
import { FSCONFIG_CMD_CREATE, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from "../../../ffi/constants.ts";
import type { PlanBuilder } from "../../launch/plan.ts";
import { beginPlan } from "../../launch/plan.ts";
import { cloneWithUserNamespace } from "../../launch/userns.ts";
import { type Finding, type Probe, type ProbeInput, readNumber } from "../finding.ts";
import { type Outcome, singleIdMap, tryInNamespaces, tryPlan } from "../trial.ts";

export const probeUserNamespaces: Probe = async (input) => {
  const { host } = input;
  const plan = beginPlan("create a user namespace");
  const request = { label: "create a user namespace", flags: 0, map: singleIdMap(host), host };
  plan.waitForSuccess(
    "the trial",
    cloneWithUserNamespace(plan, request, () => {}),
  );
  const created = await tryPlan(plan.finish());
  const settings = readSettings(input);
  const namespaces = judgeNamespaces(created, settings);
  if (!created.ok) return [namespaces];
  const mounted = await tryInNamespaces("mount in a user namespace", host, mountTmpfs);
  return [namespaces, judgeRights(mounted, settings)];
};

/** Detached: it needs no place, and is gone with its last descriptor. */
function mountTmpfs(plan: PlanBuilder): void {
  const [context, mount] = [plan.slot(), plan.slot()];
  plan.syscall("open a tmpfs", "fsopen", [plan.string("tmpfs"), FSOPEN_CLOEXEC], { save: context });
  plan.syscall("create a tmpfs", "fsconfig", [{ slot: context }, FSCONFIG_CMD_CREATE, 0, 0, 0]);
  plan.syscall("mount a tmpfs", "fsmount", [{ slot: context }, FSMOUNT_CLOEXEC, 0], { save: mount });
}

/** The switches by which distributions turn user namespaces off; undefined: this kernel has none of the name. */
export interface NamespaceSettings {
  /** Ubuntu, since 23.10: root of a namespace has no rights unless an AppArmor profile says so. */
  readonly apparmorRestrict: number | undefined;
  /** Debian's own, until 11. */
  readonly unprivilegedClone: number | undefined;
  readonly maxNamespaces: number | undefined;
}

function readSettings(input: ProbeInput): NamespaceSettings {
  return {
    apparmorRestrict: readNumber(input, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
    unprivilegedClone: readNumber(input, "/proc/sys/kernel/unprivileged_userns_clone"),
    maxNamespaces: readNumber(input, "/proc/sys/user/max_user_namespaces"),
  };
}

/** A setting that lasts: now, and after the next start. */
function setLastingly(setting: string): string {
  return `sudo sysctl -w ${setting} && echo ${setting} | sudo tee /etc/sysctl.d/60-devbox.conf`;
}

export function judgeNamespaces(created: Outcome, settings: NamespaceSettings): Finding {
  const name = "user namespaces";
  if (created.ok) return { name, status: "ok", detail: `at most ${settings.maxNamespaces ?? "unknown"} for a user` };
  const detail = `${created.step}: ${created.why}`;
  const fail = (fix: string): Finding => ({ name, status: "fail", detail, fix });
  if (settings.unprivilegedClone === 0) return fail(setLastingly("kernel.unprivileged_userns_clone=1"));
  if (settings.maxNamespaces === 0) return fail(setLastingly("user.max_user_namespaces=15000"));
  if (settings.apparmorRestrict === 1) return fail(setLastingly("kernel.apparmor_restrict_unprivileged_userns=0"));
  if (created.errnoName === "ENOSPC") return fail(setLastingly("user.max_user_namespaces=100000"));
  return fail("inside a container: allow clone(CLONE_NEWUSER) in its seccomp profile; else see user_namespaces(7)");
}

export function judgeRights(mounted: Outcome, { apparmorRestrict }: NamespaceSettings): Finding {
  const name = "AppArmor";
  if (mounted.ok) {
    const detail = apparmorRestrict === undefined ? "does not restrict user namespaces" : "lets devbox mount";
    return { name, status: "ok", detail };
  }
  const detail = `${mounted.step}: ${mounted.why}`;
  if (apparmorRestrict === 1) {
    return { name, status: "fail", detail, fix: setLastingly("kernel.apparmor_restrict_unprivileged_userns=0") };
  }
  return {
    name: "rights in namespaces",
    status: "fail",
    detail,
    fix: "a security module (SELinux, AppArmor, seccomp) forbids mounts in user namespaces; its log (dmesg) says which",
  };
}
