/**
 * The launch plan as TypeScript sees it. The encoder beside (`encode.ts`) turns it into the bytes that `launcher.c` reads.
 *
 * A plan is a list of operations that the launcher executes one after the other, in one single-threaded process
 * (and in the children that the plan itself clones: a step with `onZero` is a fork in the road).
 * Nothing in it is policy of the launcher's: it calls what it is told and reports the first failure as (operation, errno).
 */
import type { SyscallName } from "../syscalls.ts";

/**
 * A block of bytes in the plan's data, encoded once however often it is referred to (by object identity).
 * `pointers`: at byte `offset` of this block stands, at run time, the address of another block (argv, iovec, sock_fprog).
 */
export interface Data {
  readonly bytes: Uint8Array;
  readonly pointers?: readonly { readonly offset: number; readonly to: Data }[];
}

/**
 * An argument of a system call: an immediate, the address of a data block, the value of a slot,
 * or a descriptor handed to the launcher under a name (see `LaunchPlan.fds`).
 */
export type Argument =
  | number
  | bigint
  | { readonly data: Data }
  /** `negated`: 0 - its value, for the process group of a child (kill(2)). */
  | { readonly slot: number; readonly negated?: true }
  | { readonly fd: string };

/** One system call. `label` is what the user reads when it fails: a verb phrase naming the object. */
export interface SyscallOp {
  readonly kind: "syscall";
  readonly label: string;
  readonly call: SyscallName;
  /** At most 6. */
  readonly args: readonly Argument[];
  /** Slot (0…127) that receives the result; on a tolerated error, -errno. */
  readonly save?: number;
  /** The slot is a descriptor's: the one that it held before is closed. */
  readonly replace?: true;
  /** errno values that are no failure. */
  readonly tolerate?: readonly number[];
  /** Mark to continue at when the result is 0: the child's side of clone(2). */
  readonly onZero?: string;
  /** Mark to continue at when a tolerated error occurred. */
  readonly onError?: string;
}

export type Op =
  | SyscallOp
  /** A place to jump to; encodes to nothing. */
  | { readonly kind: "mark"; readonly name: string }
  | { readonly kind: "jump"; readonly to: string }
  /** Write slot as decimal digits and NUL at `offset` of `into` (for `newuidmap PID`). */
  | { readonly kind: "format"; readonly slot: number; readonly into: Data; readonly offset: number }
  /** Store slot as a little-endian integer of `width` bytes at `offset` of `into` (for SCM_RIGHTS, clone_args). */
  | {
      readonly kind: "store";
      readonly slot: number;
      readonly into: Data;
      readonly offset: number;
      readonly width: 4 | 8;
    }
  /** Read a little-endian unsigned integer of `width` bytes at `offset` of `from` into slot (pipe2, received descriptors). */
  | {
      readonly kind: "load";
      readonly slot: number;
      readonly from: Data;
      readonly offset: number;
      readonly width: 4 | 8;
    }
  /** Send a record to the report pipe; the reader sees `{ kind: "event", name, value: slot }`. */
  | { readonly kind: "report"; readonly event: ReportEvent; readonly slot: number }
  /** wait4(2) status at `status` (4 bytes) must be "exited with 0", else the plan fails here with the exit code as detail. */
  | { readonly kind: "expectSuccess"; readonly label: string; readonly status: Data }
  /** Fail here with `errno`, or with the -errno that a tolerated failure has left in a slot. */
  | { readonly kind: "fail"; readonly label: string; readonly errno: number | { readonly slot: number } }
  /**
   * Be the supervisor: wait for the child in `slot` to end (reaping others), report "exited" with its wait status and exit
   * the same way (128 + n for signal n). Signals sent by processes (not by a terminal) are passed on to the child.
   * `tied`: kill the child with SIGKILL as soon as nobody holds the reading end of the report pipe any more.
   */
  | { readonly kind: "supervise"; readonly slot: number; readonly tied: boolean }
  /**
   * Be PID 1 for the process in `slot` (`--init`): pass signals on to it, reap orphans, exit as it does
   * (128 + n for a signal). A signal that comes before this operation is lost unless the plan has blocked it.
   */
  | { readonly kind: "init"; readonly slot: number }
  /** The same for a box that outlives devbox: keep its log, and become another program at its end. */
  | MonitorOp
  /** exit_group(2). */
  | { readonly kind: "exit"; readonly code: number }
  /**
   * Go on with the next plan that comes through the plan pipe, its slots empty. The end of the pipe means that
   * whoever launched has given up, or is gone: then the process exits with 125.
   */
  | { readonly kind: "continue" };

/** A descriptor that was handed over, or -1: there is none. */
export type Descriptor = { readonly fd: string } | -1;

/**
 * Be the monitor: wait for the child in `slot` as "supervise" does (untied), signals included, and meanwhile write what it
 * prints into its log. When it has ended, and what it has printed until then is written down, write the end to `ended`,
 * report "exited", and go on with the plan (which executes devbox for the clean-up).
 */
export interface MonitorOp {
  readonly kind: "monitor";
  readonly slot: number;
  /** Reading ends of the pipes that are the child's stdout and stderr. */
  readonly stdout: Descriptor;
  readonly stderr: Descriptor;
  /** Master of its terminal, instead of those two; it is made not blocking. -1, or a slot that holds 2^32-1: there is none. */
  readonly terminal: Argument;
  /**
   * FIFO whose bytes go to the terminal's master, in its own time: as much as a pipe holds may wait. It must be open for
   * writing as well, so that it does not end with who writes to it.
   */
  readonly input: Descriptor;
  /** FIFO of struct winsize records (ioctl_tty(2) TIOCSWINSZ), each written whole, for the terminal's master; as `input`. */
  readonly resize: Descriptor;
  /**
   * Directory of the log: `log`, then the rotated `log.1`, `log.2` …; -1: what is printed is read, and kept nowhere.
   * Frames that cannot be written, as the disk is full, are left out.
   */
  readonly log: Descriptor;
  /** File that gets the end as one record at its start (`endRecordBytes`). */
  readonly ended: Descriptor;
  readonly settings: MonitorSettings;
}

export interface MonitorSettings {
  /** A log file is rotated before it grows larger; 0: never. Else more than `logFrameHeaderBytes`. */
  readonly maxLogBytes: number;
  /** Log files that are kept, the current one among them; 1 to 99. */
  readonly maxLogFiles: number;
  /**
   * A program that is started again and again while the child lives (health checks), the next one an interval after the
   * last one has ended. It has no descriptors but the monitor's 0, 1, 2, and must end by itself.
   */
  readonly beat?: Heartbeat;
}

export interface Heartbeat {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** 1 at least. */
  readonly intervalMs: number;
  /** Another interval for the first `startPeriodMs`. */
  readonly startIntervalMs: number;
  readonly startPeriodMs: number;
}

/**
 * A frame of a log: 16 bytes, then the bytes that were printed: length (u32), stream (u32: 1 stdout and terminals,
 * 2 stderr), CLOCK_REALTIME in nanoseconds (i64); all little-endian. A frame is appended by one write(2), of which who reads
 * at the same time may see the beginning only.
 */
export const logFrameHeaderBytes = 16;

/** The record of the end: wait status (i32), 4 bytes of 0, CLOCK_REALTIME in nanoseconds (i64); all little-endian. */
export const endRecordBytes = 16;

/** What a plan may report on its way. "started": the init process exists (value: its pid) and its id maps are written. */
export type ReportEvent = "started" | "ready" | "exited";

/** A plan: operations, and the names of the descriptors it expects, in the order in which they are handed over. */
export interface LaunchPlan {
  /** What the plan does, for `--explain`. */
  readonly title: string;
  readonly ops: readonly Op[];
  readonly fds: readonly string[];
}

export type LaunchReport =
  | { readonly kind: "event"; readonly event: ReportEvent; readonly value: number }
  /**
   * `op`: index into `plan.ops`, which those of the plan that follows continue; undefined if the launcher refused the plan as a whole (a bug, or an altered plan).
   * `detail`: exit code of a helper for `expectSuccess`, else 0.
   */
  | { readonly kind: "failed"; readonly op: number | undefined; readonly errno: number; readonly detail: number };
