/** What every command of `devbox oci` has around it. */
import { resolve } from "node:path";
import type { HostFacts } from "../../host/facts.ts";
import { readHostFacts } from "../../host/read-facts.ts";
import type { CgroupManager } from "../../runtime/container-cgroup.ts";
import { defaultStateRoot } from "../../runtime/state-directory.ts";
import type { OciLog } from "./log.ts";

export interface Around {
  /** Directory of the containers' states, absolute. */
  readonly root: string;
  readonly facts: HostFacts;
  readonly log: OciLog;
  readonly cgroups: CgroupManager;
}

export interface GlobalOptions {
  readonly root: string | undefined;
  readonly log: OciLog;
  readonly cgroups: CgroupManager;
}

/** @throws DevboxError USAGE */
export function openAround({ root, log, cgroups }: GlobalOptions): Around {
  const facts = readHostFacts(process.env);
  const directory = root === undefined || root === "" ? defaultStateRoot(process.env, facts) : resolve(root);
  return { root: directory, facts, log, cgroups };
}
