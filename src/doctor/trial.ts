/** Trials: what only a process in namespaces of its own can find out, tried by a small launch plan. */
import { AT_FDCWD, CLONE_NEWNS, MS_PRIVATE, MS_REC } from "../../ffi/constants.ts";
import { describeErrno, errnoNameOf } from "../../ffi/errno.ts";
import type { HostFacts } from "../host/facts.ts";
import { runPlan } from "../launch/launch.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../launch/plan.ts";
import { cloneWithUserNamespace } from "../launch/userns.ts";
import type { IdMap } from "../oci/runtime.ts";

export type Outcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** The label of the step that failed. */
      readonly step: string;
      /** `EPERM`; "" when a helper program failed. */
      readonly errnoName: string;
      /** It did not come to what was to be tried: there are no namespaces, or no store to try it in. */
      readonly isUntried?: true;
      /** `operation not permitted (EPERM)`, `exit status 1`. */
      readonly why: string;
    };

/** The label of the clone that makes them. */
const makeNamespaces = "create namespaces";

/** Runs a plan without a terminal or streams. @throws DevboxError when it could not be started or was refused. */
export async function tryPlan(plan: LaunchPlan): Promise<Outcome> {
  let failed: Outcome | undefined;
  try {
    await runPlan(plan, {
      stdio: ["ignore", "ignore", "ignore"],
      translate: ({ label, errno, detail }) => {
        const why = errno === 0 ? `exit status ${detail}` : describeErrno(errno);
        const untried = label === makeNamespaces || errno === 0 ? ({ isUntried: true } as const) : {};
        failed = { ok: false, step: label, errnoName: errno === 0 ? "" : errnoNameOf(errno), why, ...untried };
        return undefined;
      },
    });
    return { ok: true };
  } catch (error) {
    if (failed !== undefined) return failed;
    throw error;
  }
}

/** The map that everybody may write: root in there is the caller out here (user_namespaces(7)). */
export function singleIdMap({ uid, gid }: Pick<HostFacts, "uid" | "gid">): IdMap {
  return {
    uid: [{ containerID: 0, hostID: uid, size: 1 }],
    gid: [{ containerID: 0, hostID: gid, size: 1 }],
  };
}

/**
 * Tries steps as root of a new user namespace with a mount namespace, both gone afterwards.
 * @param more the map of the user namespace, and CLONE_NEW* of further namespaces
 */
export async function tryInNamespaces(
  title: string,
  host: HostFacts,
  steps: (plan: PlanBuilder) => void,
  more: { readonly map?: IdMap; readonly flags?: number } = {},
): Promise<Outcome> {
  const plan = beginPlan(title);
  const { map = singleIdMap(host), flags = 0 } = more;
  const request = { label: makeNamespaces, flags: CLONE_NEWNS | flags, map, host };
  const child = cloneWithUserNamespace(plan, request, () => {
    const none = plan.string("none");
    plan.syscall("keep mounts to ourselves", "mount", [none, plan.string("/"), 0, MS_REC | MS_PRIVATE, 0]);
    steps(plan);
  });
  plan.waitForSuccess("the trial", child);
  return await tryPlan(plan.finish());
}

/** A step that opens a file and closes it. */
export function openStep(plan: PlanBuilder, label: string, path: string, flags: number, mode = 0): void {
  const file = plan.slot();
  plan.syscall(label, "openat", [AT_FDCWD, plan.string(path), flags, mode], { save: file });
  plan.syscall(`close ${path}`, "close", [{ slot: file }]);
}
