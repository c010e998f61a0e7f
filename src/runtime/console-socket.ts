/** The socket over which the init process hands out the master of its terminal (runc's console-socket protocol). */
import { closeSync } from "node:fs";
import { SOCK_STREAM } from "../../ffi/constants.ts";
import { receiveDescriptors, socketpair } from "../../ffi/socket.ts";

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
  let theirsOpen = true;
  const closeTheirs = (): void => {
    if (theirsOpen) closeSync(theirs);
    theirsOpen = false;
  };
  return {
    theirs,
    closeTheirs,
    receive: () => receiveDescriptors(ours, 16).fds[0],
    [Symbol.dispose]() {
      closeTheirs();
      closeSync(ours);
    },
  };
}
