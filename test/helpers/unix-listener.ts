/** A listening unix socket that receives descriptors: what conmon does with --console-socket. Bun's own drops them. */
import { dlopen } from "bun:ffi";
import { closeSync } from "node:fs";
import { type Received, receiveDescriptors } from "../../ffi/socket.ts";

const libc = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept4: { args: ["i32", "ptr", "ptr", "i32"], returns: "i32" },
}).symbols;

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;

export interface UnixListener extends Disposable {
  /** Takes one connection and what it sends first; blocks, so it must be there already. */
  receive(): Received;
}

export function listenUnix(path: string): UnixListener {
  const address = new Uint8Array(110);
  address[0] = AF_UNIX;
  address.set(new TextEncoder().encode(path), 2);
  const fd = libc.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
  if (libc.bind(fd, address, address.length) !== 0 || libc.listen(fd, 5) !== 0)
    throw new Error(`cannot listen on ${path}`);
  return {
    receive() {
      const connection = libc.accept4(fd, null, null, 0o2000000);
      try {
        return receiveDescriptors(connection, 4096);
      } finally {
        closeSync(connection);
      }
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}
