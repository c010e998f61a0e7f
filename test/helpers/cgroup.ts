/** Control groups of the test's own, and processes in them. */
import { closeSync, readFileSync, writeSync } from "node:fs";
import { userInfo } from "node:os";
import { createCgroup } from "../../src/cgroup/create.ts";
import { readHostCgroups } from "../../src/cgroup/host.ts";
import { killCgroup, openProcs } from "../../src/cgroup/processes.ts";
import { removeCgroup } from "../../src/cgroup/remove.ts";
import type { Cgroup } from "../../src/cgroup/types.ts";

const host = readHostCgroups();

/** Why groups cannot be made here; undefined: they can. For `describe.skipIf`. */
export const noCgroups: string | undefined =
  host === undefined ? "no control groups are mounted" : userInfo().uid === 0 ? undefined : "only root may make groups";

export interface TestCgroup extends AsyncDisposable {
  readonly cgroup: Cgroup;
  /** A shell in the group that has begun to run `script`, or a program in it. */
  readonly run: (script: string) => Promise<Bun.Subprocess<"ignore", "pipe", "pipe">>;
}

/** A group below the root of every tree; at disposal all in it is killed, and it is removed. */
export function testCgroup(name: string): TestCgroup {
  if (host === undefined) throw new Error("no control groups are mounted");
  const path = `/devbox-test-${name}-${crypto.randomUUID().slice(0, 8)}`;
  const creation = createCgroup({ ...host, path, rootless: false });
  if (creation.kind === "unavailable") throw creation.error;
  const { cgroup } = creation;
  return {
    cgroup,
    run: async (script) => {
      // The shell stops itself before it does anything, so nothing of the script happens outside of the group.
      const child = Bun.spawn(["sh", "-c", `kill -STOP $$; ${script}`], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      await stopped(child.pid);
      enter(cgroup, child.pid);
      process.kill(child.pid, "SIGCONT");
      return child;
    },
    async [Symbol.asyncDispose]() {
      await killCgroup(cgroup);
      await removeCgroup(cgroup);
    },
  };
}

/** Moves a process into the group, in every tree. */
export function enter(cgroup: Cgroup, pid: number): void {
  for (const fd of openProcs(cgroup)) {
    try {
      writeSync(fd, String(pid));
    } finally {
      closeSync(fd);
    }
  }
}

/** Waits until a process has stopped itself: the kernel tells nobody but its parent's wait(2), which is Bun's. */
async function stopped(pid: number): Promise<void> {
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) await Bun.sleep(1);
}

/** The text of a control file in whichever directory of the group has it. */
export function control({ directories }: Cgroup, file: string): string {
  for (const directory of directories) {
    try {
      return readFileSync(`${directory}/${file}`, "utf8").trim();
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  throw new Error(`no directory of the group has ${file}`);
}
