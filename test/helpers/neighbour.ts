/** A process in namespaces of its own, for others to join them by path. */

import { closeSync } from "node:fs";
import type { NamespaceType } from "../../src/oci/runtime.ts";
import { namespaceFiles } from "../../src/sandbox/namespace-flags.ts";
import { pipe, readUntil } from "./launch-plans.ts";

export interface Neighbour extends AsyncDisposable {
  readonly pid: number;
  /** Where its namespace of a kind is found. */
  path(type: NamespaceType): string;
}

const options: Readonly<Record<NamespaceType, readonly string[]>> = {
  user: ["--user", "--map-root-user"],
  mount: ["--mount"],
  pid: ["--pid", "--fork", "--kill-child"],
  ipc: ["--ipc"],
  uts: ["--uts"],
  network: ["--net"],
  cgroup: ["--cgroup"],
  time: ["--time", "--boottime", "5000000", "--fork", "--kill-child"],
};

/** unshare(1) with a new namespace of each of these kinds; a user namespace that is not mapped has no ids yet. */
export async function openNeighbour(types: readonly NamespaceType[], { mapped = true } = {}): Promise<Neighbour> {
  const { read, write } = pipe();
  const flags = types.flatMap((type) => (type === "user" && !mapped ? ["--user"] : options[type]));
  const child = Bun.spawn(["unshare", ...flags, "sh", "-c", "echo ready; exec sleep 1000"], {
    stdio: ["ignore", write, "inherit"],
  });
  closeSync(write);
  await readUntil(read, /ready/);
  closeSync(read);
  return {
    pid: child.pid,
    // A pid namespace has the children of who made it; a time namespace likewise (namespaces(7)).
    path: (type) =>
      `/proc/${child.pid}/ns/${namespaceFiles[type]}${type === "pid" || type === "time" ? "_for_children" : ""}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
