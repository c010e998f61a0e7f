/** Processes and mounts as /proc shows them: for tests of what must be gone. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** All processes that can be read; one that ends meanwhile is left out. */
export function processes(): readonly Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        if (state === "Z") return [];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        return [];
      }
    });
}

/** A process, its children, and theirs. */
export function descendants(root: number): readonly Process[] {
  const all = processes();
  const found = all.filter(({ pid }) => pid === root);
  for (const each of found) found.push(...all.filter(({ parent }) => parent === each.pid));
  return found;
}

/** Resolves when none of the processes is there any more: pidfds would tell, but the tests need no better than this. */
export async function gone(pids: readonly number[]): Promise<void> {
  const started = new Map(processes().map(({ pid, command }) => [pid, command]));
  for (let round = 0; round < 2000; round++) {
    const left = processes().filter(({ pid, command }) => pids.includes(pid) && started.get(pid) === command);
    if (left.length === 0) return;
    await Bun.sleep(5);
  }
  const left = processes().filter(({ pid }) => pids.includes(pid));
  throw new Error(`still there: ${left.map(({ pid, command }) => `${pid} ${command}`).join("; ")}`);
}

/** The identity of a namespace, `net:[4026531840]`. */
export function namespaceOf(pid: number | "self", type: string): string {
  return readlinkSync(`/proc/${pid}/ns/${type}`);
}
