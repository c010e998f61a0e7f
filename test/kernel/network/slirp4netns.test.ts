/** slirp4netns for real: on a network namespace of an ordinary user or root, whoever runs this. */
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, closeSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { pipe2 } from "../../../ffi/libc.ts";
import type { PortMapping } from "../../../src/core/ports.ts";
import { readBootId } from "../../../src/host/process-identity.ts";
import { runHook } from "../../../src/network/hook.ts";
import { parsePort } from "../../../src/network/ports.ts";
import { startSlirp4netns } from "../../../src/network/start-slirp4netns.ts";
import { type NetworkBox, openNetworkBox, processEnd } from "./box.ts";

const helper = "/usr/bin/slirp4netns";
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0).toReversed()) each();
});

interface Network {
  readonly pid: number;
  readonly ports: readonly PortMapping[];
  /** Closes the last writing end of the exit pipe. */
  end(): void;
}

async function connect(box: NetworkBox, ports: readonly PortMapping[] = [], program = helper): Promise<Network> {
  const [exitFd, hold] = pipe2();
  let open = true;
  const end = (): void => {
    if (open) closeSync(hold);
    open = false;
  };
  undo.push(end);
  try {
    const request = { pid: box.pid, helper: program, boxDirectory: box.directory, ports, exitFd };
    const { pid, ports: bound } = await startSlirp4netns(request).ready;
    return { pid, ports: bound, end };
  } finally {
    closeSync(exitFd);
  }
}

/** A TCP server in the box that greets each connection; ready when it has said so. */
async function serve(box: NetworkBox, port: number): Promise<void> {
  const socket = '{ open(s) { s.end("from the box"); }, data() {} }';
  const script = `Bun.listen({ hostname: "0.0.0.0", port: ${port}, socket: ${socket} }); console.log("listening")`;
  const server = box.spawn([process.execPath, "-e", script]);
  undo.push(() => server.kill());
  await server.stdout.getReader().read();
}

function greeting(hostname: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  Bun.connect({
    hostname,
    port,
    socket: {
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => resolve(text),
      connectError: (_, error) => reject(error),
    },
  }).catch(reject);
  return promise;
}

describe("a box with a network", () => {
  test("has tap0 with its address, a default route and loopback", async () => {
    await using box = await openNetworkBox();
    await connect(box);
    expect(await box.run(["ip", "-o", "link", "show", "tap0"])).toMatch(/<[^>]*\bUP\b.*mtu 65520/);
    expect(await box.run(["ip", "-o", "addr", "show", "tap0"])).toContain("10.0.2.100/24");
    expect(await box.run(["ip", "route"])).toContain("default via 10.0.2.2");
    expect(await box.run(["ip", "-o", "addr", "show", "lo"])).toContain("127.0.0.1/8");
  });

  test("does not reach what listens on the host's loopback", async () => {
    await using box = await openNetworkBox();
    await connect(box);
    let visits = 0;
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open(socket) {
          visits++;
          socket.end("from the host");
        },
        data() {},
      },
    });
    undo.push(() => listener.stop(true));
    expect(await greeting("127.0.0.1", listener.port)).toBe("from the host");
    const script = `Bun.connect({ hostname: "10.0.2.2", port: ${listener.port}, socket: {
      open() { console.log("connected"); }, data(_, bytes) { console.log(bytes.toString()); },
      close() { process.exit(0); }, connectError() { console.log("refused"); process.exit(0); } } })`;
    const answer = await box.run([process.execPath, "-e", script]);
    expect(answer).not.toContain("from the host");
    expect(visits).toBe(1);
  });

  test("loses it when the last writing end of the exit pipe is closed", async () => {
    await using box = await openNetworkBox();
    const network = await connect(box);
    expect(existsSync(`/proc/${network.pid}`)).toBe(true);
    network.end();
    await processEnd(network.pid);
    expect(await box.run(["ip", "-o", "link"])).not.toContain("tap0");
  });
});

describe("published ports", () => {
  test("are reached on the host, free ones are reported", async () => {
    await using box = await openNetworkBox();
    const network = await connect(box, parsePort("127.0.0.1::8080"));
    const [port] = network.ports;
    expect(port?.hostPort).toBeGreaterThan(0);
    await serve(box, 8080);
    expect(await greeting("127.0.0.1", port?.hostPort ?? 0)).toBe("from the box");
  });

  test("udp datagrams arrive", async () => {
    await using box = await openNetworkBox();
    const network = await connect(box, parsePort("127.0.0.1::5353/udp"));
    const socket = "{ data(_, bytes) { console.log(bytes.toString()); } }";
    const script = `await Bun.udpSocket({ hostname: "0.0.0.0", port: 5353, socket: ${socket} }); console.log("bound")`;
    const server = box.spawn([process.execPath, "-e", script]);
    undo.push(() => server.kill());
    const output = server.stdout.getReader();
    await output.read();
    const client = await Bun.udpSocket({});
    undo.push(() => client.close());
    client.send("hello", network.ports[0]?.hostPort ?? 0, "127.0.0.1");
    const { value } = await output.read();
    expect(new TextDecoder().decode(value)).toBe("hello\n");
  });

  test("a directory whose name is longer than a socket's can be", async () => {
    await using box = await openNetworkBox();
    const deep = `${box.directory}/${"d".repeat(120)}`;
    await Bun.write(`${deep}/file`, "");
    const network = await connect({ ...box, directory: deep }, parsePort("127.0.0.1::8080"));
    expect(network.ports).toHaveLength(1);
  });

  test("a port in use is named", async () => {
    await using box = await openNetworkBox();
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    undo.push(() => listener.stop(true));
    const failed = connect(box, parsePort(`127.0.0.1:${listener.port}:80`));
    await expect(failed).rejects.toMatchObject({
      code: "NETWORK_FAILED",
      step: `publish port ${listener.port}/tcp on 127.0.0.1`,
      because: "another program uses this port (EADDRINUSE)",
    });
  });

  test("an address that this machine does not have is named", async () => {
    await using box = await openNetworkBox();
    await expect(connect(box, parsePort("198.51.100.7:8080:80"))).rejects.toMatchObject({
      step: "publish port 8080/tcp on 198.51.100.7",
      because: "this machine does not have that address (EADDRNOTAVAIL)",
    });
  });
});

describe("failures", () => {
  test("slirp4netns' own words come back", async () => {
    await using box = await openNetworkBox();
    // A second tap0 in the same namespace cannot be made.
    await connect(box);
    await expect(connect(box)).rejects.toMatchObject({
      code: "NETWORK_FAILED",
      because: expect.stringContaining("TUNSETIFF"),
    });
  });

  test("a program that is not there", async () => {
    await using box = await openNetworkBox();
    const failed = connect(box, [], "/nowhere/slirp4netns");
    await expect(failed).rejects.toMatchObject({ code: "NETWORK_FAILED", step: "start /nowhere/slirp4netns" });
  });

  test("a slirp4netns without seccomp is started without", async () => {
    await using box = await openNetworkBox();
    const old = `${box.directory}/old`;
    writeFileSync(
      old,
      `#!/bin/sh
case "$*" in *--enable-seccomp*) echo "slirp4netns: unrecognized option '--enable-seccomp'" >&2; exit 1;; esac
exec ${helper} "$@"
`,
    );
    chmodSync(old, 0o755);
    const network = await connect(box, [], old);
    expect(readFileSync(`/proc/${network.pid}/cmdline`, "latin1")).not.toContain("seccomp");
    expect(await box.run(["ip", "-o", "link"])).toContain("tap0");
  });
});

describe("as hooks of another runtime", () => {
  const start = (box: NetworkBox, ...ports: string[]) =>
    runHook(JSON.stringify({ ociVersion: "1.2.0", id: "a", status: "creating", pid: box.pid, bundle: "/" }), [
      ...["start", "--directory", box.directory, "--helper", helper],
      ...ports,
    ]);
  const stop = (box: NetworkBox) =>
    runHook(JSON.stringify({ status: "stopped" }), ["stop", "--directory", box.directory]);

  test("start leaves it behind, stop ends it", async () => {
    await using box = await openNetworkBox();
    await start(box);
    const [pid] = readFileSync(`${box.directory}/slirp4netns.pid`, "utf8").split(" ");
    expect(await box.run(["ip", "-o", "link"])).toContain("tap0");
    await stop(box);
    await processEnd(Number(pid));
    expect(await box.run(["ip", "-o", "link"])).not.toContain("tap0");
    await stop(box);
  });

  test("stop does not take another process with the same pid for it", async () => {
    await using box = await openNetworkBox();
    const other = Bun.spawn(["cat"], { stdin: "pipe" });
    writeFileSync(`${box.directory}/slirp4netns.pid`, `${other.pid} 1 ${readBootId()}\n`);
    await stop(box);
    other.stdin.end();
    await other.exited;
    expect([other.signalCode, other.exitCode]).toEqual([null, 0]);
    expect(existsSync(`${box.directory}/slirp4netns.pid`)).toBe(false);
  });

  test("a state without a process is refused", async () => {
    await using box = await openNetworkBox();
    const failed = runHook("{}", ["start", "--directory", box.directory, "--helper", helper]);
    await expect(failed).rejects.toMatchObject({ code: "BAD_CONFIG" });
  });
});
