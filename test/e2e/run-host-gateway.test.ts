/** devbox run --add-host NAME:host-gateway: a service of this machine, by a name that docker's users know. */
import { afterAll, expect, test } from "bun:test";
import { ownAddress } from "../../src/host/own-address.ts";
import { openHome } from "../helpers/devbox.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());

const address = ownAddress();

test.skipIf(address === undefined)(
  "it is reached, unless it listens on loopback only (needs an address that is not loopback's)",
  async () => {
    using open = Bun.serve({ hostname: "0.0.0.0", port: 0, fetch: () => new Response("from the host\n") });
    using closed = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("secret\n") });
    const get = (port: number | undefined) => {
      const request = `exec 3<>/dev/tcp/host.docker.internal/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3`;
      const command = [imageName("debian"), "bash", "-c", request];
      return home.run(["run", "--add-host=host.docker.internal:host-gateway", ...command]);
    };
    expect(await get(open.port)).toMatchObject({ stdout: "from the host\n", exitCode: 0 });
    expect(await get(closed.port)).toMatchObject({ stdout: "", exitCode: 1 });
  },
);

test("on the host's network it is loopback, and without a network it is said to be in vain", async () => {
  const hosts = (network: string) =>
    home.run([
      "run",
      `--network=${network}`,
      "--add-host=h:host-gateway",
      imageName("busybox"),
      "grep",
      "-w",
      "h",
      "/etc/hosts",
    ]);
  expect((await hosts("host")).stdout).toBe("127.0.0.1\th\n");
  const without = await hosts("none");
  expect([without.stdout, without.exitCode]).toEqual(["", 1]);
  expect(without.stderr).toContain("warning: --add-host h:host-gateway has no effect: the box has no network\n");
});
