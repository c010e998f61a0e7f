/** The network of boxes in the background: there as long as the box, and again when it is started again. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { boxHome } from "../helpers/box.ts";
import { detachedBoxes } from "../helpers/detached.ts";
import { descendants, gone, processes } from "../helpers/processes.ts";
import { openTerminal } from "../helpers/terminal.ts";

const here = boxHome();
const { home, image } = here;
const { printed, end, record } = detachedBoxes(here);

/** A script that answers every connection on port 8080 (1F90), and says so as soon as it listens. */
const serving = `trap 'exit 0' TERM; (while :; do echo -n pong | nc -l -p 8080; done) & until grep -q ":1F90 .* 0A " /proc/net/tcp*; do :; done; echo ready; while :; do sleep 0.05; done`;

/** Connects, and reads until the other side closes. */
function ask(port: number): Promise<string> {
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

const slirps = (id: string): readonly number[] => {
  const pid = String(record(id).pid);
  return processes()
    .filter(({ command }) => command.includes("slirp4netns") && command.split(" ").includes(pid))
    .map((each) => each.pid);
};

test("a published port is reached without devbox, and again after a restart; the network ends with the box", async () => {
  const id = (await home.ok(["run", "-d", "-p", "127.0.0.1::8080", image, "sh", "-c", serving])).trim();
  await printed(id, /ready/);
  const [first] = record(id).ports ?? [];
  expect(first).toMatchObject({ hostIp: "127.0.0.1", containerPort: 8080, protocol: "tcp" });
  expect(await ask(first?.hostPort ?? 0)).toBe("pong");
  const before = slirps(id);
  expect(before).toHaveLength(1);
  await home.ok(["restart", id]);
  await gone(before);
  await printed(id, /ready\nready/);
  const [second] = record(id).ports ?? [];
  expect(await ask(second?.hostPort ?? 0)).toBe("pong");
  const after = slirps(id);
  await home.ok(["stop", id]);
  await gone(after);
  expect(record(id).ports).toBeUndefined();
  expect(await end(id)).toBe(0);
});

test("the end of the terminal that it was started from does not reach it", async () => {
  const script = "echo ready; while :; do sleep 0.05; done";
  const line = `"$DEVBOX" run -d --name late ${image} sh -c '${script}'; read forever`;
  let network: readonly number[];
  let id: string;
  {
    await using terminal = openTerminal(home, line);
    [id] = await terminal.output(/[0-9a-f]{64}/);
    await printed("late", /ready/);
    network = slirps(id);
    const shell = descendants(terminal.pid).map(({ pid }) => pid);
    process.kill(terminal.pid, "SIGHUP");
    await gone(shell);
  }
  expect(record(id).status).toBe("running");
  expect(await home.ok(["exec", "late", "echo", "still here"])).toBe("still here\n");
  expect(slirps(id)).toEqual(network);
  await home.ok(["rm", "-f", "late"]);
  await gone(network);
});
