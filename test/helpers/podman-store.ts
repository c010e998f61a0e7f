/** podman's store in a home of its own: what it reads and writes of images. */
import { join } from "node:path";
import { $ } from "bun";
import type { Home } from "./devbox.ts";

export interface PodmanStore {
  /** Runs to the end; anything but exit status 0 is an error that shows what was said. Returns stdout. */
  podman(...words: readonly string[]): Promise<string>;
}

export function openPodmanStore(home: Home): PodmanStore {
  const store = ["--root", join(home.directory, "podman"), "--runroot", join(home.directory, "podman-run")];
  const command = ["podman", ...store, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"];
  return {
    async podman(...words) {
      const result = await $`${[...command, ...words]}`.env(home.env).cwd(home.directory).nothrow().quiet();
      if (result.exitCode === 0) return result.stdout.toString();
      throw new Error(`podman ${words.join(" ")}: exit status ${result.exitCode}\n${result.stderr}`);
    },
  };
}
