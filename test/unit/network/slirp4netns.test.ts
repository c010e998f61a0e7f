import { describe, expect, test } from "bun:test";
import {
  contributeSlirp4netns,
  reasonIn,
  slirp4netnsArguments,
  withoutUnknownOption,
} from "../../../src/network/slirp4netns.ts";

const request = {
  ports: [],
  boxDirectory: "/store/boxes/1",
  helper: "/usr/bin/slirp4netns",
  self: ["/usr/bin/bun", "/src/main.ts"],
};

describe("contribution", () => {
  test("hooks that any runtime can run, the name server and the address", () => {
    const ports = [{ hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "tcp" as const }];
    expect(contributeSlirp4netns({ ...request, ports })).toEqual({
      hooks: {
        createRuntime: [
          {
            path: "/usr/bin/bun",
            args: [
              ...["/usr/bin/bun", "/src/main.ts", "hook", "slirp4netns", "start", "--directory", "/store/boxes/1"],
              ...["--helper", "/usr/bin/slirp4netns", "127.0.0.1:8080:80/tcp"],
            ],
            timeout: 30,
          },
        ],
        poststop: [
          {
            path: "/usr/bin/bun",
            args: ["/usr/bin/bun", "/src/main.ts", "hook", "slirp4netns", "stop", "--directory", "/store/boxes/1"],
            timeout: 30,
          },
        ],
      },
      nameservers: ["10.0.2.3"],
      address: "10.0.2.100",
    });
  });

  test("IPv6 is refused before anything is started", () => {
    const ports = [{ hostIp: "::1", hostPort: 8080, containerPort: 80, protocol: "tcp" as const }];
    expect(() => contributeSlirp4netns({ ...request, ports })).toThrow(
      expect.objectContaining({ code: "USAGE", hint: "use an IPv4 address: -p 127.0.0.1:8080:80" }),
    );
  });
});

describe("command line", () => {
  const least = { pid: 42, readyFd: 3, exitFd: undefined, apiSocket: undefined };

  test("confined, without the host's loopback", () => {
    expect(slirp4netnsArguments(least)).toEqual([
      "--configure",
      "--mtu=65520",
      "--disable-host-loopback",
      "--enable-sandbox",
      "--enable-seccomp",
      "--ready-fd=3",
      "42",
      "tap0",
    ]);
  });

  test("exit pipe and API socket where they are asked for", () => {
    const args = slirp4netnsArguments({ ...least, exitFd: 4, apiSocket: "slirp4netns.sock" });
    expect(args.slice(5)).toEqual(["--ready-fd=3", "--exit-fd=4", "--api-socket=slirp4netns.sock", "42", "tap0"]);
  });
});

describe("an old slirp4netns", () => {
  const args = slirp4netnsArguments({ pid: 42, readyFd: 3, exitFd: undefined, apiSocket: undefined });

  test("does without confining options that it does not know", () => {
    const fewer = withoutUnknownOption(args, "slirp4netns: unrecognized option '--enable-seccomp'\nUsage: …");
    expect(fewer).toEqual(args.filter((argument) => argument !== "--enable-seccomp"));
    expect(withoutUnknownOption(fewer ?? [], "unrecognized option: --enable-seccomp")).toBeUndefined();
  });

  test("does not do without what protects the host", () => {
    expect(withoutUnknownOption(args, "unrecognized option '--disable-host-loopback'")).toBeUndefined();
    expect(withoutUnknownOption(args, 'open("/dev/net/tun"): No such file or directory')).toBeUndefined();
  });
});

test("the reason is the last line that says one", () => {
  const log = 'WARNING: Support for seccomp is experimental\nopen("/dev/net/tun"): Permission denied\n* MTU: 65520\n\n';
  expect(reasonIn(log)).toBe('open("/dev/net/tun"): Permission denied');
  expect(reasonIn("Starting slirp\n")).toBeUndefined();
});
