/** devbox run: flags in the spellings that docker's and podman's users have in their fingers and scripts. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openHome } from "../helpers/devbox.ts";
import { imageName } from "../helpers/given.ts";

const home = openHome();
afterAll(() => home[Symbol.asyncDispose]());
mkdirSync(join(home.directory, "src"));
writeFileSync(join(home.directory, "src/file"), "from the host\n");
writeFileSync(join(home.directory, "env"), "A=file\nB=file\n");

/** What the shell of the box prints. */
async function prints(flags: string, command: string): Promise<string> {
  const words = flags.split(" ").map((word) => word.replace("HOME", home.directory));
  return await home.ok(["run", "--network=none", ...words, imageName("busybox"), "sh", "-c", command]);
}

describe.each<[what: string, spellings: readonly string[], command: string, output: string]>([
  ["variables", ["-e A=1", "-eA=1", "-e=A=1", "--env A=1", "--env=A=1", "-e A=0 -e A=1"], "echo $A", "1\n"],
  ["files of variables", ["--env-file env", "--env-file=env", "--env-file HOME/env"], "echo $A$B", "filefile\n"],
  ["the working directory", ["-w /new/dir", "-w/new/dir", "--workdir=/new/dir"], "pwd", "/new/dir\n"],
  ["the user", ["-u 1000:50", "-u1000:50", "--user=dev:wheel", "--user dev:50"], "id -u; id -g", "1000\n50\n"],
  ["the host name", ["-h box", "-hbox", "--hostname=box"], "hostname", "box\n"],
  [
    "a directory of the host, read-only",
    [
      "-v ./src:/x:ro",
      "-v ./src/../src/:/x:ro",
      "-v HOME/src:/x/:ro,z",
      "--volume=./src:/x:ro,Z,rprivate",
      "--mount type=bind,source=src,target=/x,readonly",
      "--mount=type=bind,src=./src,dst=/x,ro=true",
      "--mount ro,destination=/x,type=bind,src=HOME/src,bind-propagation=rslave",
    ],
    "cat /x/file; touch /x/new 2>/dev/null || echo refused",
    "from the host\nrefused\n",
  ],
  [
    "memory",
    [
      "--tmpfs /x:size=1m,mode=1770",
      "--tmpfs=/x:size=1024k,mode=1770,noexec",
      "--mount type=tmpfs,target=/x,tmpfs-size=1m,tmpfs-mode=1770",
      "--mount type=tmpfs,dst=/x,tmpfs-size=1048576,tmpfs-mode=01770",
    ],
    "stat -c %a /x; df -k /x | awk 'NR == 2 { print $2 }'",
    "1770\n1024\n",
  ],
  ["a place of its own", ["-v /data", "-v=/data", "--mount type=volume,dst=/data"], "ls /data", "from-image\n"],
  [
    "switches",
    ["--init", "--init=true", "--init=1 --rm=true", "--init --privileged=false"],
    "cat /proc/1/cmdline | tr -d '\\0'",
    "devbox-launcher",
  ],
  ["switches that are off", ["--init=false", "--no-init", "--init --init=0"], "cat /proc/1/comm; true", "sh\n"],
  ["stdin", ["-i=false", "--interactive=false", "--no-interactive"], "cat", ""],
  ["no terminal", ["-t=false", "--tty=false", "-i"], "[ -t 0 ] || echo none", "none\n"],
  ["a terminal", ["-t", "-it", "-ti", "-tie A=1", "--tty --interactive"], "[ -t 1 ] && echo one", "one\r\n"],
  [
    "capabilities",
    ["--cap-drop all --cap-add net_raw", "--cap-drop=ALL --cap-add=CAP_NET_RAW"],
    "grep CapEff /proc/self/status",
    "CapEff:\t0000000000002000\n",
  ],
  [
    "limits",
    ["--ulimit nofile=64:128", "--ulimit=nofile=64:128", "--ulimit nofile=9 --ulimit nofile=64:128"],
    "ulimit -n; ulimit -Hn",
    "64\n128\n",
  ],
  [
    "no new rights",
    [
      "--security-opt no-new-privileges",
      "--security-opt=no-new-privileges:true",
      "--security-opt no-new-privileges=true",
    ],
    "grep NoNewPrivs /proc/self/status",
    "NoNewPrivs:\t1\n",
  ],
])("%s", (_, spellings, command, output) => {
  test.each(spellings)("%s", async (flags) => expect(await prints(flags, command)).toBe(output));
});

test("what docker has and devbox has not is refused, and never taken for something else", async () => {
  const flags = [
    "--gpus=all",
    "--rm=maybe",
    "--network=my-net",
    "-p=80/sctp",
    "--restart=maybe",
    "--log-driver=syslog",
  ];
  for (const flag of flags) {
    const { exitCode, stdout, stderr } = await home.run(["run", flag, imageName("busybox"), "true"]);
    expect([flag, exitCode, stdout]).toEqual([flag, 125, ""]);
    expect(stderr).toMatch(/^error: .+\n(?: {2}because: .+\n)?hint: .+\n$/);
  }
});
