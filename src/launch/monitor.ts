/**
 * The launcher as the monitor of a box that outlives devbox: it leaves the session and the directory of who has started it,
 * takes the terminal of the box, keeps its log, and becomes another program when the box has ended.
 */
import { AT_FDCWD, F_DUPFD_CLOEXEC, MSG_CMSG_CLOEXEC, O_CLOEXEC, O_RDWR, PR_SET_NAME } from "../../ffi/constants.ts";
import type { Data, Descriptor, MonitorSettings } from "../../ffi/launcher/wire.ts";
import type { PlanBuilder } from "./plan.ts";

export interface MonitorRequest extends MonitorSettings {
  /**
   * Descriptors by name: `log` (directory), `ended` (file), and without a terminal `stdout`, `stderr` (reading ends), with one
   * `input`, `resize` (FIFOs) and `console-master` (the end of the console socket that receives). Those left out of
   * `descriptors` are not there (no log).
   */
  readonly descriptors: readonly string[];
  readonly terminal: boolean;
  /** What the monitor becomes when the box is over. Its descriptors `keep` are open there as numbers 10, 11 … in this order. */
  readonly then: { readonly path: string; readonly args: readonly string[]; readonly env: readonly string[] };
  readonly keep: readonly string[];
}

/** Number of the first descriptor that is kept. */
export const firstKeptFd = 10;

/** Above all numbers that are kept, which may be those of others that are to be kept. */
const aside = 100;

/**
 * Append: report "started", and monitor the process in slot `child`, whose parent this is. Nothing follows.
 *
 * "started" comes only when the terminal that devbox was started from, whose end would end it, is left behind.
 */
export function becomeMonitor(plan: PlanBuilder, request: MonitorRequest, child: number): void {
  leaveCaller(plan);
  plan.add({ kind: "report", event: "started", slot: child });
  const { descriptors, maxLogBytes, maxLogFiles, beat } = request;
  const find = (name: string): Descriptor => (descriptors.includes(name) ? plan.fd(name) : -1);
  const terminal = request.terminal ? { slot: receiveTerminal(plan, "console-master") } : -1;
  plan.add({
    kind: "monitor",
    slot: child,
    stdout: find("stdout"),
    stderr: find("stderr"),
    terminal,
    input: find("input"),
    resize: find("resize"),
    log: find("log"),
    ended: find("ended"),
    settings: { maxLogBytes, maxLogFiles, ...(beat === undefined ? {} : { beat }) },
  });
  becomeNext(plan, request);
}

function leaveCaller(plan: PlanBuilder): void {
  const nowhere = plan.slot();
  // For ps(1): the launcher was executed from a descriptor, and would be named by its number.
  plan.syscall("name the monitor", "prctl", [PR_SET_NAME, plan.string("devbox-monitor"), 0, 0, 0]);
  plan.syscall("leave the session", "setsid", []);
  plan.syscall("leave the working directory", "chdir", [plan.string("/")]);
  plan.syscall("open /dev/null", "openat", [AT_FDCWD, plan.string("/dev/null"), O_RDWR | O_CLOEXEC, 0], {
    save: nowhere,
  });
  // The box has its copies; ours would keep its pipes open when it has ended, and the caller's when it waits for their end.
  for (const stream of [0, 1, 2]) plan.syscall("leave the standard streams", "dup3", [{ slot: nowhere }, stream, 0]);
  plan.syscall("close /dev/null", "close", [{ slot: nowhere }]);
}

/** recvmsg(2) of one descriptor; the slot holds 2^32-1 when the box has ended before it had a terminal. */
function receiveTerminal(plan: PlanBuilder, socket: string): number {
  const terminal = plan.slot();
  // struct cmsghdr, then the descriptor: it stays -1 when there is none (cmsg(3)).
  const control: Data = { bytes: new Uint8Array(24).fill(0xff, 16, 20) };
  const iovec: Data = { bytes: new Uint8Array(16), pointers: [{ offset: 0, to: { bytes: new Uint8Array(8) } }] };
  new DataView(iovec.bytes.buffer).setBigUint64(8, 1n, true);
  const pointers = [
    { offset: 16, to: iovec },
    { offset: 32, to: control },
  ];
  const header: Data = { bytes: new Uint8Array(56), pointers };
  const view = new DataView(header.bytes.buffer);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(40, BigInt(control.bytes.length), true);
  const message = [plan.fd(socket), { data: header }, MSG_CMSG_CLOEXEC];
  plan.syscall("receive the terminal of the box", "recvmsg", message);
  plan.syscall("close the socket", "close", [plan.fd(socket)]);
  plan.add({ kind: "load", slot: terminal, from: control, offset: 16, width: 4 });
  return terminal;
}

function becomeNext(plan: PlanBuilder, { then: next, keep }: MonitorRequest): void {
  const kept = keep.map((name) => {
    const copy = plan.slot();
    plan.syscall(`keep ${name}`, "fcntl", [plan.fd(name), F_DUPFD_CLOEXEC, aside], { save: copy });
    return copy;
  });
  for (const [i, slot] of kept.entries()) plan.syscall(`hand ${keep[i]} on`, "dup3", [{ slot }, firstKeptFd + i, 0]);
  const [argv, envp] = [plan.vector(next.args), plan.vector(next.env)];
  plan.syscall(`execute ${next.path}`, "execve", [plan.string(next.path), argv, envp]);
}
