/** The ids of a box: ranges in /etc/subuid and /etc/subgid, and the programs that may map them (newuidmap(1)). */
import { statSync } from "node:fs";
import { lgetxattr } from "../../../ffi/xattr.ts";
import { DevboxError } from "../../core/errors.ts";
import { installHint } from "../../host/distribution.ts";
import type { HostFacts, IdRange } from "../../host/facts.ts";
import { grantLine } from "../../host/grant-ids.ts";
import { defaultIdMap } from "../../host/id-map.ts";
import { beginPlan } from "../../launch/plan.ts";
import { cloneWithUserNamespace } from "../../launch/userns.ts";
import { type Finding, notTried, type Probe } from "../finding.ts";
import { tryPlan } from "../trial.ts";

export const probeSubordinateIds: Probe = async ({ host }) => {
  const findings = [judgeRanges(host), ...judgePrograms(host)];
  // Root writes its maps itself. With something missing there is nothing to try.
  if (findings.some(({ status }) => status === "fail")) return findings;
  return [...findings, await tryMap(host)];
};

/** Images have files of ids up to 65534, nobody. */
const wantedIds = 65_536;

export function judgeRanges({ uid, userName, subuids, subgids }: HostFacts): Finding {
  const name = "subordinate ids";
  if (uid === 0) return { name, status: "ok", detail: "root needs none" };
  const count = (ranges: readonly IdRange[]): number => ranges.reduce((sum, range) => sum + range.count, 0);
  const [uids, gids] = [count(subuids), count(subgids)];
  const detail = `${uids} users, ${gids} groups`;
  const fix = grantLine(userName);
  if (uids === 0 || gids === 0) return { name, status: "fail", detail, fix };
  if (uids < wantedIds - 1 || gids < wantedIds - 1) {
    return { name, status: "warn", detail: `${detail}: images may have files of more ids`, fix };
  }
  return { name, status: "ok", detail };
}

function judgePrograms({ uid, helpers }: HostFacts): readonly Finding[] {
  if (uid === 0) return [];
  return (["newuidmap", "newgidmap"] as const).map((name) => judgeProgram(name, helpers[name]));
}

function judgeProgram(name: "newuidmap" | "newgidmap", path: string | undefined): Finding {
  if (path === undefined) return { name, status: "fail", detail: "not found", fix: installHint("newuidmap") };
  const rights = privilegeOf(path);
  if (rights !== undefined) return { name, status: "ok", detail: `${path}, ${rights}` };
  const capability = name === "newuidmap" ? "cap_setuid" : "cap_setgid";
  const detail = `${path} has neither the setuid bit nor ${capability}`;
  // Images of containers are often packed without file capabilities.
  return { name, status: "fail", detail, fix: `sudo setcap ${capability}+ep ${path}` };
}

/** How a program gets the right to write maps: by its owner, or by capabilities(7) in its xattr. */
function privilegeOf(path: string): string | undefined {
  const { mode, uid } = statSync(path);
  if ((mode & 0o4000) !== 0 && uid === 0) return "setuid root";
  return lgetxattr(path, "security.capability") === undefined ? undefined : "file capabilities";
}

async function tryMap(host: HostFacts): Promise<Finding> {
  const name = "id map";
  const plan = beginPlan("map the ids of a box");
  try {
    const label = "create a user namespace";
    const request = { label, flags: 0, map: defaultIdMap(host), host };
    plan.waitForSuccess(
      "the trial",
      cloneWithUserNamespace(plan, request, () => {}),
    );
    const outcome = await tryPlan(plan.finish());
    if (outcome.ok) return { name, status: "ok", detail: `written for ${host.userName}` };
    if (outcome.step === label) return notTried(name, `${outcome.step}: ${outcome.why}`);
    const fix = "compare /etc/subuid and /etc/subgid with what newuidmap says: newuidmap $$ 0 100000 65536";
    return { name, status: "fail", detail: `${outcome.step}: ${outcome.why}`, fix };
  } catch (error) {
    if (!(error instanceof DevboxError)) throw error;
    return { name, status: "fail", detail: error.message, fix: error.hint };
  }
}
