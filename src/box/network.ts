/** The network of a box: what the chosen driver contributes to the bundle, and its hook taken into this process. */
import type { BundleNetwork } from "../bundle/bundle.ts";
import type { RunOptions } from "../bundle/options.ts";
import type { HostFacts } from "../host/facts.ts";
import { type HookRunner, runHookProgram } from "../runtime/hooks.ts";
import type { BoxPaths } from "../store/types.ts";

export interface BoxNetwork {
  readonly contribution: BundleNetwork;
  /** Descriptors whose end, with the supervisor, ends the network. */
  readonly held: Readonly<Record<string, number>>;
  readonly runHook: HookRunner;
  close(): Promise<void>;
}

export function planNetwork(_options: RunOptions, _facts: HostFacts, _box: BoxPaths): BoxNetwork {
  return {
    contribution: { hooks: {}, nameservers: [], address: undefined },
    held: {},
    runHook: runHookProgram,
    close: () => Promise.resolve(),
  };
}
