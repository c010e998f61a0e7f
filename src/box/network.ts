/** The network of a box: what the chosen driver contributes to the bundle, and its hook taken into this process. */
import { closeSync } from "node:fs";
import { pipe2 } from "../../ffi/libc.ts";
import type { BundleNetwork } from "../bundle/bundle.ts";
import type { RunOptions } from "../bundle/options.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import type { HostFacts } from "../host/facts.ts";
import { selfCommand } from "../host/self.ts";
import { contributeSlirp4netns } from "../network/slirp4netns.ts";
import { startSlirp4netns } from "../network/start-slirp4netns.ts";
import { type HookRunner, runHookProgram } from "../runtime/hooks.ts";
import type { BoxPaths } from "../store/types.ts";

export interface BoxNetwork extends Disposable {
  readonly contribution: BundleNetwork;
  /** Descriptors for the supervisor to hold: with their end, the network ends. */
  readonly held: Readonly<Record<string, number>>;
  /** Runs the hooks of config.json; the driver's own without starting a program. */
  readonly runHook: HookRunner;
  /** Ports as they are bound, free ones filled in; none before the hooks have run. */
  ports(): readonly PortMapping[];
}

/** @throws DevboxError HELPER_MISSING when slirp4netns is not installed. */
export async function planNetwork(
  { log }: Pick<Context, "log">,
  options: RunOptions,
  facts: HostFacts,
  box: BoxPaths,
): Promise<BoxNetwork> {
  if (options.network !== "slirp4netns") return withoutDriver;
  const helper = facts.helpers.slirp4netns ?? (await missing());
  const self = selfCommand();
  const contribution = contributeSlirp4netns({ ports: options.ports, boxDirectory: box.directory, helper, self });
  const own = contribution.hooks.createRuntime ?? [];
  const [exitRead, exitWrite] = pipe2();
  let published: readonly PortMapping[] = [];
  return {
    contribution,
    held: { "exit-hold": exitWrite },
    async runHook(point, hook, state, index) {
      if (!own.includes(hook) || state.pid === undefined) return await runHookProgram(point, hook, state, index);
      const { pid } = state;
      const request = { pid, helper, boxDirectory: box.directory, ports: options.ports, exitFd: exitRead };
      const { ports } = await startSlirp4netns(request).ready;
      published = ports;
      for (const [index, port] of ports.entries())
        if (options.ports[index]?.hostPort === 0) log.info(describePort(port));
    },
    ports: () => published,
    [Symbol.dispose]() {
      closeSync(exitRead);
      closeSync(exitWrite);
    },
  };
}

/** A port that nobody else can tell: devbox has chosen it. */
function describePort({ hostIp, hostPort, containerPort, protocol }: PortMapping): string {
  return `published ${hostIp}:${hostPort} -> ${containerPort}/${protocol}`;
}

const withoutDriver: BoxNetwork = {
  contribution: { hooks: {}, nameservers: [], address: undefined },
  held: {},
  runHook: runHookProgram,
  ports: () => [],
  [Symbol.dispose]() {},
};

async function missing(): Promise<never> {
  const { installHint } = await import("../host/distribution.ts");
  throw new DevboxError("HELPER_MISSING", {
    step: "set up the network of the box",
    because: "slirp4netns is not installed",
    hint: `${installHint("slirp4netns")}; without it: --network none, or --network host`,
  });
}
