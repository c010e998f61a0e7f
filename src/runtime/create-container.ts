/**
 * OCI "create" for `devbox oci` (runtime-spec runtime.md "Lifecycle" steps 1 to 5): what another process at another time
 * will start. Either it is there whole, or nothing of it is left.
 */
import { closeSync } from "node:fs";
import { SIGKILL } from "../../ffi/constants.ts";
import type { RootfsPlan } from "../bundle/rootfs-plan.ts";
import { cgroupOwner, delegateCgroup } from "../cgroup/delegate.ts";
import { openProcs } from "../cgroup/processes.ts";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import { identify, signalProcess } from "../host/process-identity.ts";
import type { Launched } from "../launch/launch.ts";
import type { IdMap, LinuxConfig, RuntimeConfig, RuntimeMount, RuntimeProcess } from "../oci/runtime.ts";
import type { SandboxInput } from "../sandbox/input.ts";
import { planBox } from "../sandbox/plan-create.ts";
import { launcherMounts } from "../sandbox/sources.ts";
import { type Beginning, begin } from "./begin.ts";
import { stateOf } from "./container.ts";
import { type CgroupManager, endCgroup, makeContainerCgroup } from "./container-cgroup.ts";
import { hooksBeforeStart } from "./create.ts";
import { passwdOfBundle, withEnvironment } from "./environment.ts";
import { type Fifos, makeFifos } from "./fifos.ts";
import { runHookProgram, runHooks } from "./hooks.ts";
import { addressesOf } from "./net-addresses.ts";
import type { OpenedBundle } from "./open-bundle.ts";
import { connectSocket, listenerOption, listenerPath, preserved, sendPidfd } from "./passed.ts";
import { writePidFile } from "./pid-file.ts";
import { runPoststopHooks } from "./poststop.ts";
import { type ContainerRecord, writeRecord } from "./record.ts";
import { restOfPlan } from "./rest-of-plan.ts";
import { cgroupTrees, deviceSources } from "./sandbox-facts.ts";
import { pipesToGive, startedPid } from "./started.ts";
import {
  type ContainerPaths,
  containerPaths,
  isRootOfMachine,
  makeContainerDirectory,
  removeContainerDirectory,
} from "./state-directory.ts";

export interface CreateContainerRequest {
  /** Directory of the containers' states. */
  readonly root: string;
  readonly id: string;
  readonly bundle: OpenedBundle;
  readonly facts: HostFacts;
  readonly cgroups: CgroupManager;
  /** "tied": it dies with this process, which waits for it. "orphaned": it is left to the caller's subreaper. */
  readonly supervision: "tied" | "orphaned";
  /** Path of a unix socket that gets the terminal; undefined: it is returned, if there is one. */
  readonly consoleSocket: string | undefined;
  /** As in `SandboxInput`. */
  readonly plainLines: boolean;
  readonly pidFile: string | undefined;
  /** Path of a unix socket that gets a pidfd of its first process. */
  readonly pidfdSocket: string | undefined;
  readonly preservedFds: number;
  /** As in `SandboxInput`. */
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly warn: (warning: string) => void;
}

export interface CreatedContainer {
  readonly paths: ContainerPaths;
  readonly pid: number;
  /** Master of its terminal, not blocking, the caller's to close. */
  readonly terminal: number | undefined;
  /** Of an orphaned container it has ended. */
  readonly launched: Launched;
}

/** @throws DevboxError of what is wrong; nothing is left then */
export async function createContainer(request: CreateContainerRequest): Promise<CreatedContainer> {
  const paths = containerPaths(request.root, request.id);
  using _lock = makeContainerDirectory(request.root, paths);
  const undo = new AsyncDisposableStack();
  undo.defer(() => removeContainerDirectory(paths));
  const hooked = { value: false };
  try {
    return await build(request, paths, undo, hooked);
  } catch (error) {
    await undo.disposeAsync().catch((second) => {
      if (error instanceof DevboxError) error.alsoFailed.push(second);
    });
    // runtime.md "Lifecycle": a hook that fails leads to steps 12 and 13.
    if (hooked.value) await runPoststopHooks(newRecord(request, undefined), request.warn);
    throw error;
  }
}

async function build(
  request: CreateContainerRequest,
  paths: ContainerPaths,
  undo: AsyncDisposableStack,
  hooked: { value: boolean },
): Promise<CreatedContainer> {
  const { id, facts, cgroups: manager, warn, bundle } = request;
  const { linux } = bundle.config;
  // Known before it is there, so that `delete` finds it, should we be killed.
  const announce = (intended: Cgroup): void => writeRecord(paths, newRecord(request, intended));
  const cgroup = await makeContainerCgroup({ id, linux, facts, manager, warn, announce });
  if (cgroup !== undefined) {
    undo.defer(() => endCgroup(cgroup));
    const owner = cgroupOwner(bundle.config);
    if (owner !== undefined && isRootOfMachine(facts)) delegateCgroup(cgroup, owner);
  }
  using descriptors = openDescriptors(request, paths, cgroup);
  await using beginning = beginContainer(request, descriptors);
  let record: ContainerRecord = newRecord(request, cgroup);
  const { launched, gate } = beginning;
  const run = async (): Promise<CreatedContainer> => {
    // Hooks of the inside get the pid as well, so that their container cannot be planned before it is known.
    const { createContainer, startContainer } = bundle.config.hooks ?? {};
    const early = [createContainer, startContainer].some((hooks) => (hooks ?? []).length > 0);
    if (early) record = await withInit(record, launched);
    const plan = planBox(sandboxInput(request, record, beginning, descriptors));
    if (!early) record = await withInit(record, launched);
    record = { ...record, rest: restOfPlan(plan, beginning.opsBefore, "start") };
    // First the record: an init process that has its plan waits for its start, also when we are gone, and must be known.
    writeRecord(paths, record);
    launched.proceed(plan);
    beginning.handOver();
    hooked.value = true;
    const { prestart = [], createRuntime = [] } = bundle.config.hooks ?? {};
    // "creating" ends with step 2 (runtime.md "State"), and this is step 3: so crun and runtime-tools' validation have it.
    await runHooks("prestart", prestart, stateOf(record, "created"), runHookProgram);
    await runHooks("createRuntime", createRuntime, stateOf(record, "creating"), runHookProgram);
    gate?.open();
    const terminal = beginning.console?.receive();
    try {
      await awaitReady(launched);
      writeRecord(paths, { ...record, phase: "created" });
      const pid = record.init?.pid ?? 0;
      if (request.pidFile !== undefined) writePidFile(request.pidFile, pid);
      if (request.pidfdSocket !== undefined) sendPidfd(request.pidfdSocket, pid);
      if (request.supervision === "orphaned") await launched.wait();
      return { paths, pid, terminal, launched };
    } catch (error) {
      if (terminal !== undefined) closeSync(terminal);
      throw error;
    }
  };
  try {
    return await run();
  } catch (error) {
    gate?.close();
    beginning.handOver();
    throw await giveUp(launched, record, error);
  }
}

/** What is handed to the launcher, closed here afterwards. */
interface Descriptors extends Disposable {
  readonly fifos: Fifos;
  readonly cgroups: readonly number[];
  readonly console: number | undefined;
  readonly listener: number | undefined;
}

function openDescriptors(
  { bundle: { config }, consoleSocket }: CreateContainerRequest,
  paths: ContainerPaths,
  cgroup: Cgroup | undefined,
): Descriptors {
  const stack = new DisposableStack();
  const keep = (fd: number): number => {
    stack.defer(() => closeSync(fd));
    return fd;
  };
  try {
    const fifos = stack.use(makeFifos(paths));
    const cgroups = cgroup === undefined ? [] : openProcs(cgroup).map(keep);
    const console = consoleSocket === undefined ? undefined : keep(connectSocket(consoleSocket, "--console-socket"));
    const path = listenerPath(config.linux.seccomp);
    const listener = path === undefined ? undefined : keep(connectSocket(path, listenerOption));
    return { fifos, cgroups, console, listener, [Symbol.dispose]: () => stack.dispose() };
  } catch (error) {
    stack.dispose();
    throw error;
  }
}

function beginContainer(
  request: CreateContainerRequest,
  { fifos, cgroups, console, listener }: Descriptors,
): Beginning {
  const { bundle, facts, supervision } = request;
  const { config } = bundle;
  const { timeOffsets, netDevices } = config.linux;
  const oomScoreAdj = config.process?.oomScoreAdj;
  return begin({
    namespaces: config.linux.namespaces,
    idMap: ownIdMap(config.linux),
    facts,
    held: {},
    stdin: "inherit",
    terminal: config.process?.terminal === true,
    ...(console === undefined ? {} : { console }),
    hooks: hooksBeforeStart(config).length > 0,
    supervision: { kind: supervision },
    initOnly: {
      start: fifos.start,
      executed: fifos.executed,
      ...(listener === undefined ? {} : { "seccomp-listener": listener }),
      ...preserved(request.preservedFds),
    },
    cgroups,
    more: {
      idmappedMounts: mountsToOpen(request),
      ...(timeOffsets === undefined ? {} : { timeOffsets }),
      ...(netDevices === undefined ? {} : { netDevices, netAddresses: addressesOf(Object.keys(netDevices)) }),
      ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    },
  });
}

function sandboxInput(
  { bundle, facts, plainLines, preservedFds, supervision, noPivot, noNewKeyring }: CreateContainerRequest,
  record: ContainerRecord,
  { gate, stdio }: Beginning,
  { console, listener }: Descriptors,
): SandboxInput {
  const { rootfs, sourceKinds } = bundle;
  const config = withProcess(bundle);
  return {
    config,
    rootfs: rootOf(bundle),
    storeRoot: "/",
    mountpoint: rootfs,
    facts,
    idMap: ownIdMap(config.linux),
    sourceKinds,
    openedMounts: mountsToOpen({ bundle, facts }),
    deviceSources: deviceSources(config.linux.devices ?? []),
    ...(record.cgroup === undefined ? {} : { cgroupTrees: cgroupTrees(record.cgroup) }),
    pipes: pipesToGive(config.process, stdio),
    gates: { ...(gate === undefined ? {} : { pivot: "go" }), exec: "start" },
    containerState: stateOf(record, "creating"),
    executed: "executed",
    ...(listener === undefined ? {} : { seccompListener: "seccomp-listener" }),
    ...(console === undefined ? {} : { blockingConsole: true }),
    plainLines,
    ...(preservedFds === 0 ? {} : { preservedFds }),
    orphaned: supervision === "orphaned",
    noPivot,
    noNewKeyring,
    init: false,
  };
}

function rootOf({ rootfs }: OpenedBundle): RootfsPlan {
  return { kind: "directory", path: rootfs };
}

function mountsToOpen({ bundle, facts }: Pick<CreateContainerRequest, "bundle" | "facts">): readonly RuntimeMount[] {
  const { config } = bundle;
  return launcherMounts({ config, rootfs: rootOf(bundle), facts, idMap: ownIdMap(config.linux) });
}

/** Without a process there is nothing to start, and `start` says so; the container comes into being all the same. */
function withProcess({ config, rootfs }: OpenedBundle): RuntimeConfig {
  const { process, mounts } = config;
  const complete = process === undefined ? nothing : withEnvironment(process, () => passwdOfBundle(rootfs, mounts));
  return { ...config, process: complete };
}

const nothing: RuntimeProcess = { cwd: "/", env: [], args: [], user: { uid: 0, gid: 0 } };

/** Of a new user namespace; one that is joined has its own. */
export function ownIdMap({ namespaces, uidMappings = [], gidMappings = [] }: LinuxConfig): IdMap | undefined {
  const isNew = namespaces.some(({ type, path }) => type === "user" && path === undefined);
  return isNew ? { uid: uidMappings, gid: gidMappings } : undefined;
}

function newRecord({ id, bundle, facts }: CreateContainerRequest, cgroup: Cgroup | undefined): ContainerRecord {
  const idMap = ownIdMap(bundle.config.linux);
  return {
    version: 1,
    id,
    bundle: bundle.directory,
    rootfs: bundle.rootfs,
    created: new Date().toISOString(),
    owner: facts.uid,
    config: bundle.config,
    ...(idMap === undefined ? {} : { idMap }),
    ...(cgroup === undefined ? {} : { cgroup }),
    phase: "creating",
  };
}

async function withInit(record: ContainerRecord, launched: Launched): Promise<ContainerRecord> {
  const pid = await startedPid(launched);
  const init = identify(pid);
  if (init !== undefined) return { ...record, init };
  await launched.wait(); // throws what it has reported
  throw endedEarly();
}

async function awaitReady(launched: Launched): Promise<void> {
  const event = await launched.nextEvent();
  if (event?.event === "ready") return;
  if (event === undefined) await launched.wait();
  throw endedEarly();
}

function endedEarly(): DevboxError {
  return new DevboxError("LAUNCH_FAILED", {
    step: "create the container",
    because: "its init process has ended before it was ready: killed from outside, or for lack of memory",
  });
}

/**
 * Ends what has begun. Returns the error to report: where the container has failed by itself, a hook that did not find it any
 * more is only what followed.
 */
async function giveUp(launched: Launched, { init }: ContainerRecord, first: unknown): Promise<unknown> {
  if (init === undefined) launched.kill(SIGKILL);
  else signalProcess(init, SIGKILL);
  try {
    await launched.wait();
  } catch (error) {
    return error instanceof DevboxError ? error : first;
  }
  return first;
}
