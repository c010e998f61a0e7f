/** devbox run --network. Traffic stays on this machine: to the box, from the box, and to an address of slirp4netns itself. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import { boxHome } from "../helpers/box.ts";
import { descendants, gone, namespaceOf } from "../helpers/processes.ts";

const { home, image } = boxHome();
const run = (script: string, ...flags: string[]): Promise<string> =>
  home.ok(["run", ...flags, image, "sh", "-c", script]);

test("none: only a loopback interface, and it is up", async () => {
  expect(await run("ls /sys/class/net; ping -c1 -W1 127.0.0.1 >/dev/null && echo up", "--network", "none")).toBe(
    "lo\nup\n",
  );
});

test("host: the host's network", async () => {
  expect(await run("readlink /proc/self/ns/net", "--network", "host")).toBe(`${namespaceOf("self", "net")}\n`);
});

test("slirp4netns is the default: tap0, a default route, a large MTU, its name server", async () => {
  const script =
    "ip -o -4 addr show tap0 | awk '{print $4}'; ip route | grep -c '^default via 10.0.2.2 dev tap0'; cat /sys/class/net/tap0/mtu";
  expect(await run(script)).toBe("10.0.2.100/24\n1\n65520\n");
  expect(await run("grep ^nameserver /etc/resolv.conf")).toContain("nameserver 10.0.2.3\n");
});

test("a port of the box is reached through -p, and its answer comes back", async () => {
  await using box = home.start(["run", "-p", "127.0.0.1::8080", image, "sh", "-c", serving("pong")]);
  await box.output(/ready/);
  const port = await publishedPort(box.pid);
  expect(await ask(port)).toBe("pong");
  box.kill("SIGKILL");
  expect((await box.result).stderr).toBe(`published 127.0.0.1:${port} -> 8080/tcp\n`);
});

test("-p on a fixed port", async () => {
  const port = await freePort();
  await using box = home.start(["run", "-p", `127.0.0.1:${port}:8080`, image, "sh", "-c", serving("fixed")]);
  await box.output(/ready/);
  expect(await ask(port)).toBe("fixed");
});

test("a port that is taken is an error that names it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { exitCode, stderr } = await home.run(["run", "-p", `127.0.0.1:${port}:80`, image, "true"]);
  server.close();
  expect(exitCode).toBe(125);
  expect(stderr).toContain(String(port));
});

test("the host's own loopback is not reachable", async () => {
  await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("secret") });
  const script = `wget -q -T 2 -O - http://10.0.2.2:${server.port}/ || echo refused; wget -q -T 2 -O - http://127.0.0.1:${server.port}/ || echo refused`;
  expect(await run(script)).toBe("refused\nrefused\n");
});

test("slirp4netns ends with its box", async () => {
  await using box = home.start(["run", image, "sh", "-c", "echo ready; cat"]);
  await box.output(/ready/);
  const all = descendants(box.pid).map(({ pid }) => pid);
  box.kill("SIGTERM");
  box.kill("SIGKILL");
  await gone(all);
});

// Helpers are looked for in /usr/bin whatever PATH says, so only a mount can hide one.
test.skipIf(process.getuid?.() !== 0)(
  "a missing slirp4netns is an error that names the package and the two ways without",
  async () => {
    const hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /usr/bin/slirp4netns && exec "$@"', "sh"];
    const { exitCode, stderr } = await home.run(["run", image, "true"], { prefix: hidden });
    expect(exitCode).toBe(125);
    expect(stderr).toContain("install slirp4netns");
    expect(stderr).toContain("--network none");
    expect(stderr).toContain("--network host");
  },
);

/** A script that answers one connection on port 8080 (1F90), and says so as soon as it listens. */
function serving(answer: string): string {
  return `echo -n ${answer} | nc -l -p 8080 & until grep -q ":1F90 .* 0A " /proc/net/tcp*; do :; done; echo ready; wait`;
}

/** The host port that slirp4netns listens on for a box whose devbox has this pid. */
async function publishedPort(devbox: number): Promise<number> {
  for (const { pid } of descendants(devbox).filter(({ command }) => command.includes("slirp4netns"))) {
    const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
    for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === "0A" && sockets.includes(`socket:[${inode}]`)) return parseInt(local.split(":")[1] ?? "", 16);
    }
  }
  throw new Error("no slirp4netns listens");
}

/** Connects, and reads until the other side closes. */
async function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (data) => {
      answer += data.toString();
    });
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return address.port;
}
