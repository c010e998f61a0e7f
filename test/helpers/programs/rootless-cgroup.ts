/**
 * rootless-cgroup UID ATTEMPT: as an ordinary user make a control group, limit it, and go through its life. Begins when it
 * reads a line: by then it is in the group that it is to be in. Prints what happened as JSON.
 */
import { applyResources } from "../../../src/cgroup/apply.ts";
import { createCgroup } from "../../../src/cgroup/create.ts";
import { readHostCgroups } from "../../../src/cgroup/host.ts";
import { chooseCgroupPath } from "../../../src/cgroup/path.ts";
import { freeze, isFrozen, killCgroup } from "../../../src/cgroup/processes.ts";
import { removeCgroup } from "../../../src/cgroup/remove.ts";
import type { Cgroup } from "../../../src/cgroup/types.ts";
import { DevboxError } from "../../../src/core/errors.ts";
import { control, enter } from "../cgroup.ts";

const [uid = "", text = "{}"] = process.argv.slice(2);
const { cgroupsPath, resources = {} } = JSON.parse(text);

async function live(cgroup: Cgroup): Promise<unknown> {
  const { ignored } = applyResources(cgroup, resources, { rootless: true });
  const files = ["memory.max", "pids.max"].filter(
    (file) => (resources[file.split(".")[0] ?? ""] ?? undefined) !== undefined,
  );
  const child = Bun.spawn(["sleep", "1000"]);
  enter(cgroup, child.pid);
  await freeze(cgroup);
  const frozen = isFrozen(cgroup);
  await killCgroup(cgroup);
  await child.exited;
  const limits = Object.fromEntries(files.map((file) => [file, control(cgroup, file)]));
  return { path: cgroup.path, limits, ignored, frozen, ended: child.signalCode, removed: true };
}

async function attempt(): Promise<unknown> {
  const host = readHostCgroups();
  if (host === undefined) throw new Error("no control groups");
  const path = chooseCgroupPath({ cgroupsPath, id: "box", ...host, rootless: true, uid: Number(uid), systemd: false });
  const creation = createCgroup({ ...host, path, rootless: true });
  if (creation.kind === "unavailable") throw creation.error;
  try {
    return await live(creation.cgroup);
  } finally {
    await removeCgroup(creation.cgroup);
  }
}

await new Response(Bun.stdin).text();
process.setgroups?.([]);
process.setgid?.(Number(uid));
process.setuid?.(Number(uid));
try {
  console.log(JSON.stringify(await attempt()));
} catch (error) {
  if (!(error instanceof DevboxError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
