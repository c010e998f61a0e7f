/**
 * config.json → launch plan: everything between "no process" and "the command runs", in order. Pure: a plan can be
 * computed, printed (`--explain`) and compared anywhere.
 *
 * Two processes execute it: the supervisor, which stays outside, waits for the box and ends it when devbox dies; and the
 * init process, which builds the box around itself and becomes the command.
 */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUTS,
} from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import { becomeInit } from "../launch/init.ts";
import { beginPlan, type LaunchPlan, type PlanBuilder } from "../launch/plan.ts";
import { cloneWithUserNamespace } from "../launch/userns.ts";
import type { NamespaceType, RuntimeConfig } from "../oci/runtime.ts";
import { attachConsole, openConsole } from "./console.ts";
import { bindDevices, makeDefaultDevices } from "./devices.ts";
import { closeAtExec, execute } from "./exec.ts";
import { becomeUser, setLimits } from "./identity.ts";
import type { SandboxInput } from "./input.ts";
import { loopbackOps } from "./loopback.ts";
import { makeReadonly, maskPaths } from "./masks.ts";
import { mountInRoot } from "./mounts.ts";
import { inside, makeDirectoryInRoot, type RootPlan } from "./paths.ts";
import { assembleRoot, enterRoot } from "./rootfs.ts";
import { leaveSession, nameHost, setOomScore, setSysctls } from "./surroundings.ts";

const cloneFlags: Readonly<Record<Exclude<NamespaceType, "user" | "time">, number>> = {
  mount: CLONE_NEWNS,
  pid: CLONE_NEWPID,
  ipc: CLONE_NEWIPC,
  uts: CLONE_NEWUTS,
  network: CLONE_NEWNET,
  cgroup: CLONE_NEWCGROUP,
};

/**
 * The plan that creates and starts a box. Descriptors it expects: "go" with `awaitGo`, "console" with a terminal, and
 * those of `input.held`.
 * @throws DevboxError BAD_CONFIG for what it cannot do: namespaces to join by path, time namespaces, a shared mount namespace
 */
export function planCreate(input: SandboxInput): LaunchPlan {
  const { config } = input;
  const plan = beginPlan(`run ${config.process.args.join(" ")}`);
  for (const name of input.held) plan.fd(name);
  const init = cloneWithUserNamespace(
    plan,
    {
      label: "create the namespaces of the box",
      flags: namespaceFlags(config),
      map: input.idMap,
      host: input.facts,
    },
    () => planInit(plan, input),
  );
  plan.add({ kind: "report", event: "started", slot: init });
  plan.add({ kind: "supervise", slot: init, tied: true });
  return plan.finish();
}

function namespaceFlags(config: RuntimeConfig): number {
  let flags = 0;
  if (!config.linux.namespaces.some(({ type }) => type === "mount")) {
    const because = "a box without a mount namespace of its own is not supported";
    throw new DevboxError("BAD_CONFIG", { step: "read linux.namespaces", because });
  }
  for (const { type, path } of config.linux.namespaces) {
    if (path !== undefined || type === "time") {
      const because = path === undefined ? "time namespaces are not supported" : "joining a namespace is not supported";
      throw new DevboxError("BAD_CONFIG", { step: `read linux.namespaces: ${type}`, because });
    }
    if (type !== "user") flags |= cloneFlags[type];
  }
  return flags;
}

/** The init process, from its first moment as root of its user namespace to the command. */
function planInit(plan: PlanBuilder, input: SandboxInput): void {
  const { config } = input;
  const { process, linux } = config;
  const slot = (): { readonly slot: number } => ({ slot: plan.slot() });
  const context: RootPlan = { plan, root: slot(), found: slot(), mount: slot() };
  const directory = slot();
  const terminal = process.terminal === true ? slot() : undefined;

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
  if (ownsNetwork(config)) for (const op of loopbackOps(context.found.slot)) plan.add(op);
  // By descriptor, resolved in the root: /proc/self/fd/N as a working directory must not lead out (CVE-2024-21626).
  makeDirectoryInRoot({ ...context, found: directory }, process.cwd, { purpose: "working directory" });
  enterRoot(context, config);

  plan.syscall(`enter ${process.cwd}`, "fchdir", [directory]);
  if (terminal !== undefined) attachConsole(context, terminal);
  setLimits(plan, process);
  closeAtExec(plan);
  if (input.awaitGo) awaitGo(plan);
  becomeUser(plan, input);
  if (input.init) becomeInit(plan, () => execute(plan, process));
  else execute(plan, process);
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
function awaitGo(plan: PlanBuilder): void {
  const givenUp = plan.mark("devbox has given up");
  const go = plan.mark("go");
  plan.syscall("wait for the start", "read", [plan.fd("go"), plan.buffer(1), 1], { onZero: givenUp });
  plan.add({ kind: "jump", to: go });
  plan.here(givenUp);
  plan.add({ kind: "exit", code: 125 });
  plan.here(go);
}
