/** podman without root leaves a process behind that holds its user namespace, whatever it was asked. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** @param runtime its XDG_RUNTIME_DIR */
export function endPodmanPause(runtime: string): void {
  const file = join(runtime, "libpod/tmp/pause.pid");
  if (!existsSync(file)) return;
  process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
  rmSync(file);
}
