/**
 * The terminal of the box: a pseudoterminal of the box's own devpts, its master sent out over the socket "console"
 * (SCM_RIGHTS; runc's console-socket protocol), its slave the box's stdin, stdout, stderr, controlling terminal and
 * /dev/console (runtime-spec config.md "terminal").
 */
import {
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  OPOST,
  SCM_RIGHTS,
  SOL_SOCKET,
  TCGETS,
  TCSETS,
  TIOCGPTPEER,
  TIOCSCTTY,
  TIOCSPTLCK,
  TIOCSWINSZ,
} from "../../ffi/constants.ts";
import { ENOTTY } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import { termiosBytes, termiosOutputFlags } from "../../ffi/structs.ts";
import type { PlanBuilder } from "../launch/plan.ts";
import type { RuntimeProcess } from "../oci/runtime.ts";
import { cloneTree } from "./detached.ts";
import { openPlace } from "./devices.ts";
import { attachMount, openHow, openInRoot, type RootPlan } from "./paths.ts";
import { continueIfEqual, jumpTo, readStatus, type Slot, statField } from "./steps.ts";

export interface ConsoleRequest {
  readonly process: Pick<RuntimeProcess, "consoleSize" | "user">;
  /** Left out: it does not block, so that whoever receives it has no thread to lose. */
  readonly blocking?: boolean;
  /** As in `SandboxInput.plainLines`. */
  readonly plainLines?: boolean;
  /** The container has been running: it may have put anything in the place of its terminals. */
  readonly suspicious?: boolean;
}

/** Steps that make the terminal of a box; before pivot_root, after devpts is mounted. The slave stays in `slave`. */
export function openConsole(context: RootPlan, request: ConsoleRequest, slave: Slot): void {
  // The master is nobody's but devbox' from here on.
  const master = openTerminal(context, request, slave);
  openInRoot({ ...context, found: master }, "/dev");
  openPlace(context, master, "console");
  cloneTree(context, "bind the terminal on /dev/console", slave, false);
  attachMount(context, "bind the terminal on /dev/console");
}

/** Steps that make a terminal of the devpts in the root, and send its master out. The slot returned held it. */
export function openTerminal(context: RootPlan, request: ConsoleRequest, slave: Slot): Slot {
  const { plan, root } = context;
  const { process, blocking = false, plainLines = false, suspicious = false } = request;
  const master = { slot: plan.descriptor() };
  // Blocking or not is a property of the open file, which goes out with it.
  const how = openHow(O_RDWR | O_NOCTTY | (blocking ? 0 : O_NONBLOCK) | O_CLOEXEC, 0);
  plan.syscall("open a terminal", "openat2", [root, plan.string("dev/pts/ptmx"), { data: how }, 24], {
    save: master.slot,
  });
  if (suspicious) checkTerminal(plan, master);
  plan.syscall("unlock the terminal", "ioctl", [master, TIOCSPTLCK, { data: { bytes: new Uint8Array(4) } }]);
  // ioctl_tty(2): opens the slave of this very master, whatever lies at /dev/pts (since 4.13).
  plan.syscall("open the terminal's slave", "ioctl", [master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC], {
    save: slave.slot,
  });
  if (process.consoleSize !== undefined)
    plan.syscall("size the terminal", "ioctl", [master, TIOCSWINSZ, { data: windowSize(process.consoleSize) }]);
  if (plainLines) keepLineEnds(plan, master);
  plan.syscall("give the terminal to the user", "fchown", [slave, process.user.uid, -1]);
  sendDescriptor(context, master);
  return master;
}

/**
 * Takes ONLCR from the output flags (termios(3)), which in a new terminal are OPOST and ONLCR: lines end as the command ended
 * them. As runc does for what comes through it.
 */
function keepLineEnds(plan: PlanBuilder, terminal: Slot): void {
  plan.scoped(() => {
    const [settings, flags, slot] = [plan.buffer(termiosBytes), plan.bytes(Uint8Array.of(OPOST, 0, 0, 0)), plan.slot()];
    plan.syscall("read the terminal's settings", "ioctl", [terminal, TCGETS, settings]);
    plan.add({ kind: "load", slot, from: flags.data, offset: 0, width: 4 });
    plan.add({ kind: "store", slot, into: settings.data, offset: termiosOutputFlags, width: 4 });
    plan.syscall("leave the ends of lines as they are", "ioctl", [terminal, TCSETS, settings]);
  });
}

/** Device number of /dev/ptmx and of ptmx in every devpts (Documentation/admin-guide/devices.txt). */
const ptmx = { major: 5, minor: 2 };

/** A file system of the container's (fuse(4)) would answer the calls that follow as it likes, with descriptors of ours. */
function checkTerminal(plan: PlanBuilder, master: Slot): void {
  const [good, bad] = [plan.mark("a terminal"), plan.mark("no terminal")];
  const label = "open a terminal: what the container has as /dev/pts/ptmx is none";
  const data = readStatus(plan, label, master);
  continueIfEqual(plan, label, { data, offset: statField.deviceMajor, value: ptmx.major }, bad);
  continueIfEqual(plan, label, { data, offset: statField.deviceMinor, value: ptmx.minor }, bad);
  jumpTo(plan, good);
  plan.here(bad);
  plan.add({ kind: "fail", label, errno: ENOTTY });
  plan.here(good);
}

/** Steps that make the slave in `slave` the controlling terminal and the standard streams; in the session's leader. */
export function attachConsole(plan: PlanBuilder, slave: Slot): void {
  plan.syscall("take the terminal", "ioctl", [slave, TIOCSCTTY, 0]);
  for (const stream of [0, 1, 2]) plan.syscall("use the terminal", "dup3", [slave, stream, 0]);
}

function windowSize({ height, width }: { readonly height: number; readonly width: number }): Data {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, height, true);
  view.setUint16(2, width, true);
  return { bytes };
}

/** sendmsg(2) with one byte and one descriptor: struct msghdr, iovec and cmsghdr of a 64-bit machine. */
function sendDescriptor({ plan }: RootPlan, descriptor: Slot): void {
  const control: Data = { bytes: new Uint8Array(24) };
  const controlView = new DataView(control.bytes.buffer);
  controlView.setBigUint64(0, 20n, true);
  controlView.setInt32(8, SOL_SOCKET, true);
  controlView.setInt32(12, SCM_RIGHTS, true);
  const iovec: Data = { bytes: new Uint8Array(16), pointers: [{ offset: 0, to: { bytes: new Uint8Array(8) } }] };
  new DataView(iovec.bytes.buffer).setBigUint64(8, 1n, true);
  const header: Data = {
    bytes: new Uint8Array(56),
    pointers: [
      { offset: 16, to: iovec },
      { offset: 32, to: control },
    ],
  };
  const headerView = new DataView(header.bytes.buffer);
  headerView.setBigUint64(24, 1n, true);
  headerView.setBigUint64(40, BigInt(control.bytes.length), true);
  plan.add({ kind: "store", slot: descriptor.slot, into: control, offset: 16, width: 4 });
  plan.syscall("send the terminal to devbox", "sendmsg", [plan.fd("console"), { data: header }, 0]);
}
