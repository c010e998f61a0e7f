/**
 * config.json → launch plan: everything between "the namespaces are there" (plan-namespaces.ts) and "the command runs", in
 * order: the init process builds the box around itself and becomes the command. Pure: a plan can be computed, printed
 * (`--explain`) and compared anywhere.
 */
import { becomeInit } from "../launch/init.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../launch/plan.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import { attachConsole, openConsole } from "./console.ts";
import { bindDevices, makeDefaultDevices } from "./devices.ts";
import { closeAtExec, execute } from "./exec.ts";
import { becomeUser, setLimits } from "./identity.ts";
import type { SandboxInput } from "./input.ts";
import { loopbackOps } from "./loopback.ts";
import { makeReadonly, maskPaths } from "./masks.ts";
import { mountInRoot } from "./mounts.ts";
import { inside, makeDirectoryInRoot, rootPlan } from "./paths.ts";
import { assembleRoot, enterRoot } from "./rootfs.ts";
import { leaveSession, nameHost, setOomScore, setSysctls } from "./surroundings.ts";

/** prctl(2). */
const PR_SET_NAME = 15;

/**
 * The plan of the init process, from its first moment as root of its user namespace to the command; it continues that of
 * `planNamespaces`. Descriptors it expects: those of `gates`, "console" with a terminal.
 */
export function planBox(input: SandboxInput): LaunchPlan {
  const { config } = input;
  const { process, linux } = config;
  const plan = beginPlan(`run ${process.args.join(" ")}`);
  const context = rootPlan(plan);
  const directory = { slot: plan.descriptor() };
  const terminal = process.terminal === true ? { slot: plan.descriptor() } : undefined;

  leaveSession(plan);
  setOomScore(context, config);
  assembleRoot(context, input);
  for (const mount of config.mounts) mountInRoot(context, mount, input);
  if (!bringsDevices(config)) makeDefaultDevices(context);
  bindDevices(context, linux.devices ?? []);
  if (terminal !== undefined) openConsole(context, process, terminal);
  setSysctls(context, config);
  makeReadonly(context, linux.readonlyPaths ?? []);
  maskPaths(context, linux.maskedPaths ?? []);
  nameHost(plan, config);
  if (ownsNetwork(config)) for (const op of loopbackOps(plan.slot())) plan.add(op);
  // By descriptor, resolved in the root: /proc/self/fd/N as a working directory must not lead out (CVE-2024-21626).
  makeDirectoryInRoot({ ...context, found: directory }, process.cwd, { purpose: "working directory" });
  enterRoot(context, config);

  plan.syscall(`enter ${process.cwd}`, "fchdir", [directory]);
  if (terminal !== undefined) attachConsole(context, terminal);
  setLimits(plan, process);
  closeAtExec(plan);
  if (input.gates.exec !== undefined) passGate(plan, input.gates.exec);
  becomeUser(plan, input);
  if (input.init) becomeNamedInit(plan, () => execute(plan, process));
  else execute(plan, process);
  return plan.finish();
}

/** For ps(1): the launcher was executed from a descriptor, and would be named by its number. */
function becomeNamedInit(plan: PlanBuilder, command: () => void): void {
  plan.syscall("name the init process", "prctl", [PR_SET_NAME, plan.string("devbox-init"), 0, 0, 0]);
  becomeInit(plan, command);
}

/** A directory bound on /dev is used as it is, as runc does: with `-v /dev:/dev` there is nothing to add. */
function bringsDevices({ mounts }: RuntimeConfig): boolean {
  return mounts.some(
    ({ destination, type, options = [] }) =>
      inside(destination) === "dev" && (type === "bind" || options.includes("bind") || options.includes("rbind")),
  );
}

function ownsNetwork(config: RuntimeConfig): boolean {
  return config.linux.namespaces.some(({ type }) => type === "network");
}

/** Hooks and the network are made ready meanwhile; the end of the pipe without a byte means that devbox gave up. */
function passGate(plan: PlanBuilder, gate: string): void {
  const givenUp = plan.mark("devbox has given up");
  const go = plan.mark("go");
  plan.syscall("wait for the start", "read", [plan.fd(gate), plan.buffer(1), 1], { onZero: givenUp });
  plan.add({ kind: "jump", to: go });
  plan.here(givenUp);
  plan.add({ kind: "exit", code: 125 });
  plan.here(go);
}
