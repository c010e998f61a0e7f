/** `devbox exec`: a further process in a box that runs. On its way stands only what it needs: it is to be as quick as the start. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { O_CLOEXEC, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "../../ffi/constants.ts";
import { openat2 } from "../../ffi/libc.ts";
import { type BoxUser, resolveUser } from "../bundle/users.ts";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { ProcessIdentity } from "../host/process-identity.ts";
import { readHostFacts } from "../host/read-facts.ts";
import type { Stdio } from "../launch/launch.ts";
import { toHostId } from "../oci/id-map.ts";
import type { IdMap, RuntimeConfig, RuntimeProcess } from "../oci/runtime.ts";
import { execInContainer } from "../runtime/exec.ts";
import { sendSignal } from "../runtime/signal.ts";
import type { ExecutedProcess } from "../runtime/types.ts";
import { capabilitySets, grantedCapabilities } from "../sandbox/capabilities.ts";
import { firstProcess, isWatched } from "../store/box-state.ts";
import { findBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { openStore } from "../store/open.ts";
import type { BoxPaths, BoxRecord, Store } from "../store/types.ts";
import { readBoxConfig } from "./config-file.ts";
import { readSettings } from "./settings.ts";
import { forwardSignals } from "./signals.ts";
import { joinUntilEnd, withTerminalSize } from "./terminal.ts";

export interface BoxExecRequest {
  readonly command: readonly string[];
  /** KEY=VALUE, over those of the box. */
  readonly env: readonly string[];
  /** undefined: as the box's command. */
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly privileged: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
  /** Leave it to itself. */
  readonly detach: boolean;
}

/**
 * Runs a command in a box, to its end.
 * @returns its exit status; 128 + n after signal n; 0 of one that is detached
 * @throws DevboxError BOX_NOT_FOUND, BOX_STATE, USER_NOT_FOUND, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, LAUNCH_FAILED
 */
export async function execInBox(context: Context, name: string, request: BoxExecRequest): Promise<number> {
  const store = openStore(context.env);
  const { paths, record } = findBox(store, name);
  const { interactive, tty, detach } = request;
  const stdin = interactive && !detach ? "inherit" : "ignore";
  const output = detach ? "ignore" : "inherit";
  using signals = detach ? undefined : forwardSignals();
  const attributes = { execCommand: request.command.join(" ") };
  const executed = await startInBox({ store, paths, record, facts: readHostFacts(context.env) }, request, [
    stdin,
    output,
    output,
  ]);
  recordEvent(store, boxEvent("exec_create", record, attributes), boxEvent("exec_start", record, attributes));
  const { pid, terminal, launched } = executed;
  if (detach) {
    if (terminal !== undefined) closeSync(terminal);
    launched.release();
    return 0;
  }
  signals?.to((signal) => sendSignal(pid, signal));
  const status = await runToEnd(executed, interactive && tty);
  recordEvent(store, boxEvent("exec_die", record, { ...attributes, exitCode: String(status) }));
  return status;
}

async function runToEnd({ terminal, launched }: ExecutedProcess, interactive: boolean): Promise<number> {
  if (terminal === undefined) return await launched.wait();
  return await joinUntilEnd(terminal, interactive, () => launched.wait());
}

export interface RunningBox {
  readonly store: Store;
  readonly paths: BoxPaths;
  readonly record: BoxRecord;
  readonly facts: HostFacts;
}

/** @throws as `execInBox` */
export async function startInBox(
  { paths, record, facts }: RunningBox,
  request: BoxExecRequest,
  stdio: readonly [Stdio, Stdio, Stdio],
): Promise<ExecutedProcess> {
  const init = runningProcess(paths, record);
  const config = readBoxConfig(paths);
  const { linux } = config;
  const idMap = { uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] };
  const onOwnRoot = isOwnRoot(config.root.path);
  if (!onOwnRoot) await untilInItsRoot(init);
  return await execInContainer({
    init,
    process: boxProcess(config, request, init.pid, idMap),
    seccomp: request.privileged ? undefined : linux.seccomp,
    facts,
    idMap,
    // Without one there are neither limits nor a freezer.
    cgroup: record.monitorPid === undefined ? undefined : readSettings(paths)?.cgroup,
    stdio,
    console: undefined,
    supervision: request.detach ? "orphaned" : "tied",
    preservedFds: 0,
    onOwnRoot,
  });
}

/** A box may be run on the very root of the host: `dir:/`. */
function isOwnRoot(path: string): boolean {
  const [own, other] = [statSync("/"), statSync(path, { throwIfNoEntry: false })];
  return own.ino === other?.ino && own.dev === other.dev;
}

/** How long a box may be on its way from its record into its root. */
const arrivalMs = 10_000;

/** A box is in its record before its command runs (detached.ts, run.ts): what joins it before it is in its root is refused. */
async function untilInItsRoot(init: ProcessIdentity): Promise<void> {
  const deadline = performance.now() + arrivalMs;
  while (isOnItsWay(init) && performance.now() < deadline) await Bun.sleep(1);
}

function isOnItsWay({ pid }: ProcessIdentity): boolean {
  try {
    return isOwnRoot(`/proc/${pid}/root`);
  } catch {
    return false; // it has ended, or is closed to us: the launcher says what is wrong
  }
}

/** Its first process. */
function runningProcess(paths: BoxPaths, record: BoxRecord): ProcessIdentity {
  const { status, monitorPid, name } = record;
  const init = status === "running" ? firstProcess(record) : undefined;
  if (init !== undefined && (monitorPid !== undefined || isWatched(paths))) return init;
  const because = `it is ${status === "running" ? "exited" : status}, not running`;
  const hint = status === "paused" ? `devbox unpause ${name}` : `start it first: devbox start ${name}`;
  throw new DevboxError("BOX_STATE", { step: `execute in the box ${name}`, because, hint });
}

/** The process as config.json describes the box's own, with what is asked for over it. */
function boxProcess(config: RuntimeConfig, request: BoxExecRequest, pid: number, idMap: IdMap): RuntimeProcess {
  const { process } = config;
  const user = request.user === undefined ? undefined : findUser(request.user, pid, idMap);
  const granted = request.privileged
    ? grantedCapabilities({ add: [], drop: [], privileged: true })
    : process.capabilities?.bounding;
  const uid = user?.uid ?? process.user.uid;
  const executed: RuntimeProcess = {
    ...process,
    args: request.command,
    cwd: request.workdir ?? process.cwd,
    env: environment(process.env, request, user),
    terminal: request.tty,
    ...(user === undefined
      ? {}
      : { user: { ...process.user, uid, gid: user.gid, additionalGids: user.additionalGids } }),
    ...(granted === undefined ? {} : { capabilities: capabilitySets(granted, uid) }),
  };
  return request.tty ? withTerminalSize(executed) : executed;
}

/** Another user has another home; what the caller sets wins. */
function environment(
  own: readonly string[],
  { env, tty }: BoxExecRequest,
  user: BoxUser | undefined,
): readonly string[] {
  const variables = new Map<string, string>();
  const term = tty && !own.some((entry) => entry.startsWith("TERM=")) ? ["TERM=xterm"] : [];
  const home = user === undefined ? [] : [`HOME=${user.home}`];
  for (const entry of [...own, ...term, ...home, ...env]) variables.set(entry.split("=", 1)[0] ?? entry, entry);
  return [...variables.values()];
}

/** Larger account files are not read: real ones have a few kilobytes. */
const maxAccountBytes = 4 * 1024 * 1024;

function findUser(spec: string, pid: number, { uid, gid }: IdMap): BoxUser {
  const root = openSync(`/proc/${pid}/root`, O_PATH | O_CLOEXEC);
  try {
    const user = resolveUser(spec, { passwd: readInBox(root, "etc/passwd"), group: readInBox(root, "etc/group") });
    if (toHostId(uid, user.uid) !== undefined && toHostId(gid, user.gid) !== undefined) {
      return { ...user, additionalGids: user.additionalGids.filter((each) => toHostId(gid, each) !== undefined) };
    }
    const because = "your subordinate ids do not reach that far, so the id does not exist in the box";
    throw new DevboxError("BAD_CONFIG", { step: `run as uid ${user.uid}, gid ${user.gid}`, because });
  } finally {
    closeSync(root);
  }
}

/** The box may have put anything there: symbolic links stay in its root, and what is no file is not read. */
function readInBox(root: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = openat2(root, path, {
      flags: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
      mode: 0,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch {
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxAccountBytes) return undefined;
    const bytes = new Uint8Array(stat.size);
    return new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes)));
  } finally {
    closeSync(fd);
  }
}
