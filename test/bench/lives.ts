/** What a box costs once it is there: exec, the lifecycle of a runtime, memory while nothing happens. */
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Laboratory } from "./laboratory.ts";
import { measure, proportionalKb, shell } from "./measure.ts";
import { row } from "./starts.ts";
import type { Row } from "./table.ts";

const idle = "sleep 1000";

/** Boxes that do nothing, one an engine, on the image and the bundle of `prepareStarts`. */
export async function benchLives(lab: Laboratory): Promise<readonly Row[]> {
  const image = lab.image("busybox");
  const script = `const c = await Bun.file("bundle/config.json").json();
    c.process.args = "${idle}".split(" "); c.root.path = "${lab.home}/bundle/rootfs"; await Bun.write("idle/config.json", JSON.stringify(c));`;
  await shell(lab, `mkdir -p idle && cat > idle.ts <<'END'\n${script}\nEND\n./bun idle.ts`);
  await shell(lab, `${lab.devbox} run -d --network none --name idle ${image} ${idle}`);
  await shell(lab, `${lab.podman} run -d --network none --name idle ${image} ${idle}`);
  await shell(lab, `crun --root ${lab.home}/crun run -d -b idle idle </dev/null >/dev/null 2>&1`);
  try {
    return [...(await execRows(lab)), ...(await lifecycleRows(lab)), idleRow()];
  } finally {
    await shell(
      lab,
      `${lab.devbox} rm -f idle; ${lab.podman} rm -f -t 0 idle; crun --root ${lab.home}/crun delete -f idle`,
    );
  }
}

async function execRows(lab: Laboratory): Promise<readonly Row[]> {
  const medians = await measure(
    lab,
    [
      { name: "devbox", command: `${lab.devbox} exec idle true` },
      { name: "podman", command: `${lab.podman} exec idle true` },
      { name: "crun", command: `crun --root ${lab.home}/crun exec idle true` },
    ],
    20,
    3,
  );
  return [
    row("`exec BOX true`, beside podman", medians, "podman", 0.1),
    row("the same beside `crun exec`", medians, "crun", 1.5),
  ];
}

/** A runtime as engines call it: three commands a container. */
async function lifecycleRows(lab: Laboratory): Promise<readonly Row[]> {
  const runtime = join(lab.home, "devbox-oci");
  symlinkSync(lab.devbox, runtime);
  const life = (program: string, root: string): string => {
    const call = `${program} --root ${lab.home}/${root}`;
    const create = `${call} create -b idle life </dev/null >/dev/null 2>&1`;
    return `sh -c '${create} && ${call} start life && ${call} delete -f life'`;
  };
  const medians = await measure(
    lab,
    [
      { name: "devbox", command: life(runtime, "devbox-oci-state") },
      { name: "crun", command: life("crun", "crun") },
      { name: "runc", command: life("runc", "runc") },
    ],
    20,
    3,
  );
  return [
    row("`oci create`, `start`, `delete -f`, beside runc", medians, "runc"),
    row("the same beside crun", medians, "crun"),
  ];
}

/** What stays beside a box that does nothing and has no network: our monitor, podman's conmon. */
function idleRow(): Row {
  return {
    what: "beside an idle detached box, beside podman's conmon",
    unit: "MB",
    ours: memoryMb("devbox-monitor"),
    peer: "podman",
    theirs: memoryMb("conmon"),
    limit: 1,
  };
}

function memoryMb(name: string): number {
  const pids = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && nameOf(pid) === name);
  return pids.reduce((sum, pid) => sum + proportionalKb(Number(pid)), 0) / 1024;
}

function nameOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined; // ended meanwhile
  }
}
