/**
 * The one error type of devbox and the table of its codes.
 *
 * A `DevboxError` says which step failed, why (in words, errno decoded), and one thing the user can do.
 * Only `cli/` prints; everything below throws. Clean-up failures travel along in `alsoFailed`.
 */
import { describeErrno, errnoNameOf, SyscallError } from "../../ffi/errno.ts";

interface ErrorKind {
  /**
   * Process exit status when this error ends a command, as with docker: 126 and 127 for what was to be executed, 1 for what is
   * not there or not in the state for it, else 125. `run` and `exec`, whose status is a command's, keep 125 for that as well.
   */
  readonly exit: number;
  /** What to do, unless the place that throws knows better. No error leaves the user alone. */
  readonly hint: string;
}

/** code → exit status and default hint. Codes are stable: scripts and tests may match them. */
export const errorTable = {
  // command line and configuration
  USAGE: { exit: 125, hint: "see: devbox --help" },
  BAD_REFERENCE: { exit: 125, hint: "an image reference looks like NAME[:TAG][@DIGEST], for example debian:12" },
  BAD_PLATFORM: { exit: 125, hint: "a platform looks like linux/amd64 or linux/arm64/v8" },
  BAD_CONFIG: { exit: 125, hint: "mend what is named above, and try again" },
  // registries
  REGISTRY_UNREACHABLE: { exit: 125, hint: "check the network, the proxy variables and the name of the registry" },
  REGISTRY_AUTH: { exit: 125, hint: "log in, then try again: devbox login REGISTRY" },
  REGISTRY_NOT_FOUND: { exit: 125, hint: "check the spelling of the image and its tag" },
  REGISTRY_REFUSED: { exit: 125, hint: "try again later, or ask who runs the registry; --debug shows where it failed" },
  REGISTRY_TLS: {
    exit: 125,
    hint: "add the registry's CA with SSL_CERT_FILE=FILE, or use --tls-verify=false for a registry you trust",
  },
  DIGEST_MISMATCH: { exit: 125, hint: "the content was altered or damaged on its way; pull again" },
  SIZE_MISMATCH: { exit: 125, hint: "the content was altered or damaged on its way; pull again" },
  BAD_MANIFEST: { exit: 125, hint: "the image is malformed: have it built or pushed again, or use another tag" },
  UNSUPPORTED_MEDIA_TYPE: {
    exit: 125,
    hint: "only images can be run; of charts, signatures and the like there is nothing to run",
  },
  NO_MATCHING_PLATFORM: { exit: 125, hint: "choose one of the platforms listed above with --platform" },
  // layers
  LAYER_ESCAPE: { exit: 125, hint: "this image is malformed or hostile; do not use it" },
  LAYER_INVALID: { exit: 125, hint: "the layer is not a valid archive; pull again or tell the image's author" },
  LAYER_TRUNCATED: { exit: 125, hint: "pull again" },
  LAYER_TOO_LARGE: { exit: 125, hint: "this image is malformed or hostile; do not use it" },
  LAYER_IO: { exit: 125, hint: "check the disk of the store, and see: devbox doctor" },
  // store
  STORE_UNUSABLE: { exit: 125, hint: "put the store elsewhere: export DEVBOX_STORE=DIR" },
  STORE_FULL: {
    exit: 125,
    hint: "free space (devbox prune --all), or put the store elsewhere: export DEVBOX_STORE=DIR",
  },
  STORE_DAMAGED: { exit: 125, hint: "pull the image again" },
  IMAGE_NOT_FOUND: { exit: 1, hint: "pull it first: devbox pull IMAGE" },
  IMAGE_IN_USE: { exit: 1, hint: "remove the boxes that use it first, or pass --force" },
  // boxes
  BOX_NAME_TAKEN: { exit: 125, hint: "choose another name" },
  BOX_NOT_FOUND: {
    exit: 1,
    hint: "check the spelling; only boxes run with --name or --keep are there after their end",
  },
  BOX_RUNNING: { exit: 1, hint: "stop it first: devbox stop BOX; or remove it with --force" },
  BOX_STATE: { exit: 1, hint: "see what it does: devbox ps --all" },
  COPY_FAILED: { exit: 1, hint: "check both paths, and who may read and write there" },
  // 128 + SIGPIPE, as of tar or cat: no failure to tell of
  READER_GONE: { exit: 141, hint: "whoever read the output has seen enough" },
  VOLUME_NOT_FOUND: { exit: 1, hint: "see: devbox volume ls" },
  VOLUME_IN_USE: { exit: 1, hint: "remove the boxes that mount it first: devbox rm BOX" },
  USER_NOT_FOUND: { exit: 125, hint: "give the user by number, or one that is in the image's /etc/passwd" },
  NO_COMMAND: { exit: 125, hint: "give a command: devbox run IMAGE -- CMD" },
  COMMAND_NOT_FOUND: { exit: 127, hint: "check the spelling, and that the image has it" },
  COMMAND_NOT_EXECUTABLE: {
    exit: 126,
    hint: "give a program that the user of the box may execute, made for this machine",
  },
  LAUNCH_FAILED: { exit: 125, hint: "see what this machine lacks: devbox doctor; every step: devbox run --explain" },
  // containers of devbox oci
  CONTAINER_NOT_FOUND: { exit: 125, hint: "see what there is: devbox oci list" },
  CONTAINER_EXISTS: { exit: 125, hint: "choose another id, or delete that container first" },
  CONTAINER_STATE: { exit: 125, hint: "see what state it is in: devbox oci state ID" },
  STATE_UNUSABLE: { exit: 125, hint: "keep the containers elsewhere: devbox oci --root DIR" },
  CGROUP_UNAVAILABLE: {
    exit: 125,
    hint: "leave the limits out, or have control groups delegated to this user (systemd: Delegate=yes)",
  },
  CGROUP_FAILED: { exit: 125, hint: "mend linux.resources or linux.cgroupsPath in config.json, and try again" },
  HOOK_FAILED: { exit: 125, hint: "mend the hook, or take it out of config.json" },
  // host
  NO_SUBIDS: {
    exit: 125,
    hint: "an administrator can grant ids in /etc/subuid and /etc/subgid: see devbox doctor",
  },
  NO_NEWUIDMAP: {
    exit: 125,
    hint: "install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora, Arch: shadow)",
  },
  USERNS_DENIED: { exit: 125, hint: "see: devbox doctor" },
  HELPER_MISSING: { exit: 125, hint: "install it; see: devbox doctor" },
  NETWORK_FAILED: { exit: 125, hint: "try --network none or --network host; see: devbox doctor" },
  SYSCALL_FAILED: { exit: 125, hint: "see what this machine lacks: devbox doctor" },
  INTERRUPTED: { exit: 130, hint: "run the command again" },
  INTERNAL: { exit: 125, hint: "this is a bug in devbox; run again with --debug and report what it prints" },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetails {
  /** The step that failed, a verb phrase: `apply layer 2: etc/passwd`. */
  readonly step: string;
  /** Why, in words. Left out when `cause` says it. */
  readonly because?: string;
  /** One thing to do; overrides the table's. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Every failure that devbox reports. `message` is the step; `because` and `hint` are printed below it. */
export class DevboxError extends Error {
  override readonly name = "DevboxError";
  readonly code: ErrorCode;
  readonly step: string;
  readonly because: string | undefined;
  readonly hint: string;
  readonly exitStatus: number;
  /** Failures of the clean-up that followed; the first failure stays the one that is reported. */
  readonly alsoFailed: unknown[] = [];

  constructor(code: ErrorCode, details: ErrorDetails) {
    const because = details.because ?? (details.cause === undefined ? undefined : describeCause(details.cause));
    super(because === undefined ? details.step : `${details.step}: ${because}`, { cause: details.cause });
    const kind: ErrorKind = errorTable[code];
    this.code = code;
    this.step = details.step;
    this.because = because;
    this.hint = details.hint ?? kind.hint;
    this.exitStatus = kind.exit;
  }
}

/** A cause of any type in words: `no space left on device (ENOSPC)` rather than `errno 28`. */
export function describeCause(cause: unknown): string {
  if (cause instanceof DevboxError) return cause.message;
  if (cause instanceof SyscallError) return cause.message;
  if (cause instanceof Error) {
    const { code, errno } = cause as NodeJS.ErrnoException;
    // The resolver's errors carry numbers of their own (ENOTFOUND has 4 in Bun, which is EINTR): only a pair counts.
    if (typeof errno === "number" && errnoNameOf(Math.abs(errno)) === code) return describeErrno(Math.abs(errno));
    return cause.message;
  }
  return String(cause);
}

/** The errno name (`ENOSPC`) of an error thrown by node:fs or ffi; undefined for any other. */
export function errnoName(error: unknown): string | undefined {
  if (error instanceof SyscallError) return error.errnoName;
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}
