/** Starting a box that is on disk: from its config.json and its settings, with its files and names as it left them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { ParsedConfig, RuntimeConfig } from "../oci/runtime.ts";
import { openBundle } from "../runtime/open-bundle.ts";
import type { Lock } from "../store/locks.ts";
import { removeTree } from "../store/remove-tree.ts";
import type { BoxPaths, BoxRecord } from "../store/types.ts";
import { type StartedBox, startDetached } from "./detached.ts";
import { planNetwork } from "./network.ts";
import type { SandboxOfBox, Surroundings } from "./prepare.ts";
import { readSettings } from "./settings.ts";
import type { Input } from "./streams.ts";

export interface StartRequest {
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  /** Of the box; the caller's, and its monitor's from then on. */
  readonly lock: Lock;
  readonly input: Input;
}

/** @throws DevboxError of every stage; its record is as it was then. */
export async function startAgain(
  context: Context,
  around: Surroundings,
  { paths, record, lock, input }: StartRequest,
): Promise<StartedBox> {
  const settings = readSettings(paths);
  if (settings === undefined) throw notWhole(record);
  const { options, health } = settings;
  const { config: parsed, sourceKinds } = openBundle(paths.directory, "config.json", (line) => context.log.warn(line));
  using network = await planNetwork(context, options, around.facts, paths);
  const config = requireProcess(parsed, network.contribution.hooks, record);
  const idMap = { uid: config.linux.uidMappings ?? [], gid: config.linux.gidMappings ?? [] };
  const { rootfs } = settings;
  if (rootfs.kind === "overlay" && rootfs.volatile) renewWork(join(around.store.root, rootfs.work));
  const sandbox: SandboxOfBox = {
    config,
    rootfs,
    storeRoot: around.store.root,
    mountpoint: rootfs.kind === "directory" ? rootfs.path : join(paths.directory, "rootfs"),
    facts: around.facts,
    idMap,
    sourceKinds,
    init: options.init,
  };
  const started = await startDetached(context, around, {
    paths,
    record,
    lock,
    options,
    health,
    network,
    namespaces: config.linux.namespaces,
    idMap,
    input,
    prepare: async () => ({ sandbox, settings }),
  });
  // The monitor has it as well.
  lock[Symbol.dispose]();
  return started;
}

/**
 * A volatile overlay leaves a mark in its work directory that keeps it from being mounted again: after a crash of the machine its
 * files may be half written (overlayfs.rst "Volatile mount"). Boxes that have one do not outlive the machine's run.
 */
function renewWork(work: string): void {
  removeTree(work);
  mkdirSync(work, { recursive: true, mode: 0o700 });
}

function notWhole(record: BoxRecord): DevboxError {
  return new DevboxError("STORE_DAMAGED", {
    step: `start the box ${record.name}`,
    because: "it was not made to its end",
    hint: `remove it: devbox rm ${record.name}`,
  });
}

/** Its hooks are those of the network, and name programs as they are now. */
function requireProcess(parsed: ParsedConfig, hooks: RuntimeConfig["hooks"], record: BoxRecord): RuntimeConfig {
  const { process } = parsed;
  if (process === undefined) throw notWhole(record);
  return { ...parsed, process, hooks: hooks ?? {} };
}
