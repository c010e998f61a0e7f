/** A TCP proxy on loopback that cuts a connection in the middle of what a client sends: a line that breaks, before any server. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Connections that were cut. */
  readonly cuts: number;
}

/** The first `cuts` connections on which a client sends more than `afterBytes` are cut there. */
export async function startCuttingProxy(target: string, afterBytes: number, cuts: number): Promise<CuttingProxy> {
  const [host = "", port] = target.split(":");
  const sockets = new Set<Socket>();
  let cutSoFar = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    let sent = 0;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (chunk: Buffer) => {
      sent += chunk.byteLength;
      if (sent <= afterBytes || cutSoFar >= cuts) {
        if (!upstream.write(chunk)) client.pause();
        return;
      }
      cutSoFar++;
      upstream.end(chunk.subarray(0, Math.max(0, chunk.byteLength - (sent - afterBytes))));
      client.destroy();
    });
    upstream.on("drain", () => client.resume());
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cutSoFar;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
