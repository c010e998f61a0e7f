/** The socket over which the init process hands out the master of its terminal (runc's console-socket protocol). */
import { SOCK_STREAM } from "../../ffi/constants.ts";
import { receiveDescriptors, socketpair } from "../../ffi/socket.ts";
import { closeOnce } from "../core/close-once.ts";

export interface ConsoleSocket extends Disposable {
  /** The end for the launcher to inherit. */
  readonly theirs: number;
  /** After the launch: so that their death is seen as the end of the stream. */
  closeTheirs(): void;
  /** Waits (the thread with it) for the master; undefined when the box ended before it had a terminal. */
  receive(): number | undefined;
}

export function openConsoleSocket(): ConsoleSocket {
  const [ours, theirs] = socketpair(SOCK_STREAM);
  const closeTheirs = closeOnce(theirs);
  const closeOurs = closeOnce(ours);
  return {
    theirs,
    closeTheirs,
    receive: () => receiveDescriptors(ours, 16).fds[0],
    [Symbol.dispose]() {
      closeTheirs();
      closeOurs();
    },
  };
}
