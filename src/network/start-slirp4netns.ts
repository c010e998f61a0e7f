/**
 * Starting slirp4netns on the network namespace of a box. It runs in a session of its own, with its output in the box's
 * directory, and ends when the last writing end of the exit pipe is closed: when whoever watches the box is gone.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import { O_CLOEXEC, O_NONBLOCK } from "../../ffi/constants.ts";
import { pipe2 } from "../../ffi/libc.ts";
import { DevboxError } from "../core/errors.ts";
import type { PortMapping } from "../core/ports.ts";
import type { RunningNetwork } from "./driver.ts";
import { logName, reasonIn, slirp4netnsArguments, socketName, withoutUnknownOption } from "./slirp4netns.ts";

export interface StartRequest {
  /** A process in the network namespace of the box, which must live until `ready` is settled. */
  readonly pid: number;
  /** Absolute path of slirp4netns. */
  readonly helper: string;
  /** Absolute; the API socket and the log go there. */
  readonly boxDirectory: string;
  readonly ports: readonly PortMapping[];
  /**
   * Reading end of the exit pipe; the caller's, to be closed when `ready` is settled. undefined: it is ended by a signal.
   */
  readonly exitFd: number | undefined;
}

export interface StartedNetwork {
  /** When tap0 is up and the ports are published. DevboxError NETWORK_FAILED with slirp4netns' own words. */
  readonly ready: Promise<RunningNetwork>;
}

/** Starts slirp4netns and returns at once. @throws DevboxError NETWORK_FAILED where it cannot even be executed. */
export function startSlirp4netns(request: StartRequest): StartedNetwork {
  const { pid, exitFd, ports } = request;
  const args = slirp4netnsArguments({
    pid,
    readyFd: readyFdInChild,
    exitFd: exitFd === undefined ? undefined : exitFdInChild,
    // Relative to the working directory: the whole path may be longer than a socket's name can be (unix(7)).
    apiSocket: ports.length === 0 ? undefined : socketName,
  });
  const child = spawn(request, args);
  const ready = awaitReady(request, args, child);
  // Whoever awaits it later must not find the program ended by an "unhandled rejection" before.
  ready.catch(() => {});
  return { ready };
}

/** Bun gives the entries of `stdio` the descriptors 0, 1, 2, 3 … of the child. */
const readyFdInChild = 3;
const exitFdInChild = 4;

interface Child {
  readonly process: Bun.Subprocess;
  /** Reading end of the pipe that slirp4netns tells its readiness by. */
  readonly readyFd: number;
}

function spawn({ helper, boxDirectory, exitFd }: StartRequest, args: readonly string[]): Child {
  const [readyFd, theirs] = pipe2(O_CLOEXEC | O_NONBLOCK);
  let log: number | undefined;
  try {
    log = openSync(`${boxDirectory}/${logName}`, "w", 0o600);
    const process = Bun.spawn([helper, ...args], {
      cwd: boxDirectory,
      // It takes what it needs from its arguments; the box's secrets are none of its business.
      env: {},
      stdio: ["ignore", log, log, theirs, ...(exitFd === undefined ? [] : [exitFd])],
      // A session of its own: Ctrl-C at the terminal is for the box.
      detached: true,
    });
    process.unref();
    return { process, readyFd };
  } catch (cause) {
    closeSync(readyFd);
    throw new DevboxError("NETWORK_FAILED", { step: `start ${helper}`, cause });
  } finally {
    closeSync(theirs);
    if (log !== undefined) closeSync(log);
  }
}

async function awaitReady(request: StartRequest, args: readonly string[], child: Child): Promise<RunningNetwork> {
  if (await readsByte(child.readyFd)) {
    const { ports, boxDirectory } = request;
    const { pid } = child.process;
    if (ports.length === 0) return { pid, ports };
    const { publishPorts } = await import("./publish.ts");
    return { pid, ports: await publishPorts(boxDirectory, ports) };
  }
  await child.process.exited;
  const log = readLog(request.boxDirectory);
  const fewer = withoutUnknownOption(args, log);
  if (fewer !== undefined) return awaitReady(request, fewer, spawn(request, fewer));
  throw new DevboxError("NETWORK_FAILED", {
    step: "set up the network of the box with slirp4netns",
    because: reasonIn(log) ?? describeEnd(child.process),
  });
}

/** True when something comes, false at the end of the pipe: slirp4netns has ended before it was ready. */
async function readsByte(fd: number): Promise<boolean> {
  const reader = Bun.file(fd).stream().getReader();
  try {
    const { value } = await reader.read();
    return value !== undefined && value.length > 0;
  } finally {
    await reader.cancel();
    closeSync(fd);
  }
}

function readLog(boxDirectory: string): string {
  try {
    return readFileSync(`${boxDirectory}/${logName}`, "utf8");
  } catch {
    return "";
  }
}

function describeEnd({ exitCode, signalCode }: Bun.Subprocess): string {
  return signalCode === null ? `it ended with status ${exitCode}` : `it was ended by ${signalCode}`;
}
