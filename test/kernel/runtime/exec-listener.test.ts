/** A further process in a container whose filter asks: the listener is sent with the process's own pid, as the host counts. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { join } from "node:path";
import { SOCK_STREAM } from "../../../ffi/constants.ts";
import { receiveDescriptors, socketpair } from "../../../ffi/socket.ts";
import { identify, type ProcessIdentity } from "../../../src/host/process-identity.ts";
import type { RuntimeProcess, Seccomp, State } from "../../../src/oci/runtime.ts";
import { type Container, create } from "../../../src/runtime/create.ts";
import { execInContainer } from "../../../src/runtime/exec.ts";
import type { ExecRequest } from "../../../src/runtime/types.ts";
import { boxInput, host, openWorkshop } from "../../helpers/busybox-box.ts";
import { pipe } from "../../helpers/launch-plans.ts";

const workshop = openWorkshop();
const agent = join(workshop.path, "agent");
const keepOpen = pipe();
let box: Container;
let input: ReturnType<typeof boxInput>;

beforeAll(async () => {
  const source = join(import.meta.dir, "../sandbox/seccomp-agent.c");
  const gcc = Bun.spawnSync(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", agent, source]);
  expect(gcc.stderr.toString()).toBe("");
  const up = join(workshop.root, "tmp/up");
  Bun.spawnSync(["mkfifo", up]);
  input = boxInput(workshop, ["/bin/sh", "-c", "echo up >/tmp/up; read line"], { confined: false });
  box = await create({ ...input, stdin: keepOpen.read });
  closeSync(keepOpen.read);
  box.start();
  await Bun.$`cat ${up}`.quiet();
});
afterAll(async () => {
  closeSync(keepOpen.write);
  await box.launched.wait();
  await workshop[Symbol.asyncDispose]();
});

const seccomp: Seccomp = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }],
  listenerPath: "/run/agent",
};
const state: State = { ociVersion: "1.2.0", id: "box", status: "running", pid: 4321, bundle: "/b" };
const process: RuntimeProcess = {
  cwd: "/",
  args: ["sh", "-c", "mkdir /tmp/a 2>/dev/null; exit $?"],
  env: ["PATH=/bin"],
  user: { uid: 0, gid: 0 },
};

function boxInit(): ProcessIdentity {
  const init = identify(box.pid);
  if (init === undefined) throw new Error("the box has ended");
  return init;
}

function request(changes: Partial<ExecRequest> = {}): ExecRequest {
  return {
    init: boxInit(),
    process,
    seccomp,
    facts: host,
    idMap: input.sandbox.idMap,
    cgroup: undefined,
    stdio: ["ignore", "ignore", "inherit"],
    console: undefined,
    supervision: "tied",
    preservedFds: 0,
    ...changes,
  };
}

test.each([true, false])("no_new_privs: %p", async (noNewPrivileges) => {
  const [ours, theirs] = socketpair(SOCK_STREAM);
  const listener = { socket: theirs, state };
  const executed = await execInContainer(request({ process: { ...process, noNewPrivileges }, listener }));
  closeSync(theirs);
  const { bytes, fds } = receiveDescriptors(ours, 4096);
  const { pid } = executed;
  expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({
    ociVersion: "1.2.0",
    fds: ["seccompFd"],
    pid,
    state,
  });
  const answering = Bun.spawn([agent], { stdio: ["ignore", "ignore", "inherit", fds[0] ?? -1] });
  expect(await executed.launched.wait()).toBe(1);
  expect(await answering.exited).toBe(0);
  for (const fd of [ours, ...fds]) closeSync(fd);
});

test("nobody to ask", async () => {
  await expect(execInContainer(request())).rejects.toMatchObject({ code: "BAD_CONFIG", step: "read linux.seccomp" });
});
