/**
 * The filter installed (seccomp(2)), and the listener of one that asks (SCMP_ACT_NOTIFY) sent to who answers: the container process
 * state of runtime-spec config-linux.md "The Container Process State", with the descriptor beside it.
 */
import { SCM_RIGHTS, SECCOMP_SET_MODE_FILTER, SOL_SOCKET } from "../../ffi/constants.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import { msghdr } from "../../ffi/structs.ts";
import type { Architecture, SyscallName } from "../../ffi/syscalls.ts";
import { DevboxError } from "../core/errors.ts";
import type { DataArgument, PlanBuilder } from "../launch/plan.ts";
import type { Seccomp, State } from "../oci/runtime.ts";
import { type HostProc, inHostProc } from "./labels.ts";
import { compileSeccomp } from "./seccomp.ts";
import { notifies } from "./seccomp-rules.ts";

/** What is sent with the listener, and to whom. */
export interface ListenerMessage {
  /** Name of the descriptor of a connected socket. */
  readonly socket: string;
  /** The text in pieces. */
  readonly pieces: readonly DataArgument[];
}

/** A pid has at most 10 digits. */
const pidRoom = 24;

/**
 * Steps that make the message for the filter's listener; undefined: the filter has none. The process learns its own pid as the
 * runtime counts it from the host's /proc; the spaces that stay behind it mean nothing in JSON.
 */
export function listenerMessage(
  plan: PlanBuilder,
  seccomp: Seccomp | undefined,
  socket: string | undefined,
  state: State | undefined,
  proc: HostProc,
): ListenerMessage | undefined {
  if (seccomp === undefined || !notifies(seccomp)) return undefined;
  if (socket === undefined || state === undefined) {
    throw new DevboxError("BAD_CONFIG", {
      step: "read linux.seccomp",
      because: "SCMP_ACT_NOTIFY needs listenerPath",
    });
  }
  const pid = plan.bytes(new Uint8Array(pidRoom).fill(" ".charCodeAt(0)));
  plan.syscall("learn the own pid", "readlinkat", [...inHostProc(plan, proc, "self"), pid, pidRoom]);
  const text = (json: string): DataArgument => plan.bytes(new TextEncoder().encode(json));
  const { listenerMetadata: metadata } = seccomp;
  // The container is the process itself where nobody knew its pid yet.
  const { pid: ofContainer, ...rest } = state;
  const head = JSON.stringify({ ociVersion: state.ociVersion, fds: ["seccompFd"] });
  const tail = metadata === undefined ? "" : `,"metadata":${JSON.stringify(metadata)}`;
  return {
    socket,
    pieces: [
      text(`${head.slice(0, -1)},"pid":`),
      pid,
      text(`${tail},"state":${JSON.stringify(rest).slice(0, -1)},"pid":`),
      ofContainer === undefined ? pid : text(String(ofContainer)),
      text("}}"),
    ],
  };
}

export interface FilterRequest {
  readonly seccomp: Seccomp;
  readonly architecture: Architecture;
  readonly message: ListenerMessage | undefined;
  /** What the plan calls under the filter, besides the execve(2) of the command. */
  readonly calls: readonly SyscallName[];
}

/** Steps that put the process under its filter. @throws BAD_CONFIG for a filter that would stop the steps that follow. */
export function installFilter(plan: PlanBuilder, { seccomp, architecture, message, calls }: FilterRequest): void {
  const after = message === undefined ? calls : ([...calls, "sendmsg"] as const);
  const { instructions, flags } = compileSeccomp(seccomp, architecture, after);
  // struct sock_fprog {u16 length; sock_filter *filter}
  const fprog: Data = { bytes: new Uint8Array(16), pointers: [{ offset: 8, to: { bytes: instructions } }] };
  new DataView(fprog.bytes.buffer).setUint16(0, instructions.length / 8, true);
  const filter = [SECCOMP_SET_MODE_FILTER, flags, { data: fprog }] as const;
  if (message === undefined) {
    plan.syscall("install the seccomp filter", "seccomp", filter);
    return;
  }
  const listener = { slot: plan.descriptor() };
  plan.syscall("install the seccomp filter", "seccomp", filter, { save: listener.slot });
  sendListener(plan, message, listener);
}

/** sendmsg(2): the pieces as struct iovec[], the descriptor as a control message of SCM_RIGHTS (cmsg(3)). */
function sendListener(
  plan: PlanBuilder,
  { socket, pieces }: ListenerMessage,
  listener: { readonly slot: number },
): void {
  const control = plan.bytes(new Uint8Array(24));
  const view = new DataView(control.data.bytes.buffer);
  view.setBigUint64(0, 20n, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  const iovec: Data = {
    bytes: new Uint8Array(pieces.length * 16),
    pointers: pieces.map(({ data }, index) => ({ offset: index * 16, to: data })),
  };
  const lengths = new DataView(iovec.bytes.buffer);
  pieces.forEach(({ data }, index) => void lengths.setBigUint64(index * 16 + 8, BigInt(data.bytes.length), true));
  const [name, buffer] = [
    { address: 0, count: pieces.length },
    { address: 0, length: control.data.bytes.length },
  ];
  const header = plan.struct(new Uint8Array(msghdr(name, buffer).buffer), { 16: { data: iovec }, 32: control });
  plan.add({ kind: "store", slot: listener.slot, into: control.data, offset: 16, width: 4 });
  plan.syscall("send the listener of the seccomp filter", "sendmsg", [plan.fd(socket), header, 0]);
}
