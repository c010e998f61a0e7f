/** A network namespace to test drivers on: a process in new user and network namespaces that ends with its stdin. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NetworkBox extends AsyncDisposable {
  readonly pid: number;
  /** For what a box has on disk. */
  readonly directory: string;
  /** Starts a program in the namespaces. */
  spawn(command: readonly string[]): Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** Runs a program in the namespaces to its end: its output. Throws if it fails. */
  run(command: readonly string[]): Promise<string>;
}

export async function openNetworkBox(): Promise<NetworkBox> {
  const directory = mkdtempSync(join(tmpdir(), "devbox-network-"));
  const unshare = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "echo there; read -r line"];
  const holder = Bun.spawn(unshare, { stdin: "pipe", stdout: "pipe" });
  await holder.stdout.getReader().read();
  const { pid } = holder;
  const enter = ["nsenter", "-t", String(pid), "--user", "--net", "--preserve-credentials"];
  const spawn = (command: readonly string[]) =>
    Bun.spawn([...enter, ...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  return {
    pid,
    directory,
    spawn,
    async run(command) {
      const child = spawn(command);
      const [output, errors, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      if (status !== 0) throw new Error(`${command.join(" ")}: status ${status}: ${errors}`);
      return output;
    },
    async [Symbol.asyncDispose]() {
      holder.stdin.end();
      await holder.exited;
      rmSync(directory, { recursive: true });
    },
  };
}

/** Ends when the process does: by its pidfd's better-known cousin, the disappearance of /proc/PID. */
export async function processEnd(pid: number): Promise<void> {
  // tail --pid polls the process; nobody but its parent can wait for it, and a detached one's parent is not us.
  await Bun.spawn(["tail", `--pid=${pid}`, "-s", "0.01", "-f", "/dev/null"], { stdout: "ignore" }).exited;
}
