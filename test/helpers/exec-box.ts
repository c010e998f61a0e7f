/** A box that runs, for further processes in it; what the tests of those start from. */
import { closeSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { pidfdOpen } from "../../ffi/libc.ts";
import { type Launched, launch } from "../../src/launch/launch.ts";
import type { Capabilities, RuntimeProcess } from "../../src/oci/runtime.ts";
import { type Container, create } from "../../src/runtime/create.ts";
import type { ExecInput } from "../../src/sandbox/input.ts";
import {
  joinableNamespaces,
  type NamespaceLinks,
  namespaceFiles,
  namespaceTypes,
} from "../../src/sandbox/namespace-flags.ts";
import { planExec } from "../../src/sandbox/plan-exec.ts";
import { type BoxSettings, boxInput, host, openWorkshop, type Workshop } from "./busybox-box.ts";
import { outputFile, pipe } from "./launch-plans.ts";

export interface Box extends AsyncDisposable {
  readonly container: Container;
  readonly workshop: Workshop;
  readonly input: ReturnType<typeof boxInput>;
}

/** A box whose command runs, and waits for its end. */
export async function openBox(
  settings: BoxSettings = {},
  prepare: (root: string) => void = () => {},
  script = "",
): Promise<Box> {
  const workshop = openWorkshop();
  prepare(workshop.root);
  const up = join(workshop.root, "tmp/up");
  Bun.spawnSync(["mkfifo", up]);
  const { read, write } = pipe();
  const command = ["/bin/sh", "-c", `${script}\necho up >/tmp/up\nread line`];
  const input = { ...boxInput(workshop, command, settings), stdin: read };
  const container = await create(input);
  closeSync(read);
  container.start();
  // Before its command runs, the box is not whole: who joins it then is still in the root of the host.
  const ended = container.launched.wait();
  const isUp = await Promise.race([Bun.$`cat ${up}`.text(), ended]);
  if (isUp !== "up\n") throw new Error(`the box did not come up: status ${isUp}`);
  return {
    container,
    workshop,
    input,
    async [Symbol.asyncDispose]() {
      closeSync(write);
      await ended;
      await workshop[Symbol.asyncDispose]();
    },
  };
}

/** Its namespaces. */
export const links = (pid: number | "self"): NamespaceLinks =>
  Object.fromEntries(namespaceTypes.map((type) => [type, readlinkSync(`/proc/${pid}/ns/${namespaceFiles[type]}`)]));

const all = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL"];
const capabilities: Capabilities = { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] };

/** A process of root's that does nothing, and what is to be different. */
export function commandOf(changes: Partial<RuntimeProcess> = {}): RuntimeProcess {
  return { cwd: "/", args: ["sh", "-c", ":"], env: ["PATH=/bin"], user: { uid: 0, gid: 0 }, capabilities, ...changes };
}

type Changes = Partial<ExecInput> & {
  readonly fds?: Readonly<Record<string, number>>;
  readonly stdio?: readonly [number | "ignore", number | "ignore", number | "inherit"];
};

/** Starts it in the box, as `planExec` says. */
export function start(
  box: Box,
  process: RuntimeProcess,
  { fds = {}, stdio = ["ignore", "ignore", "inherit"], ...changes }: Changes = {},
): Launched {
  const target = pidfdOpen(box.container.pid);
  const plan = planExec({
    process,
    seccomp: undefined,
    facts: host,
    join: joinableNamespaces(links("self"), links(box.container.pid)),
    idMap: box.input.sandbox.idMap,
    supervision: { kind: "tied" },
    cgroups: [],
    held: [],
    pipes: [],
    ...changes,
  });
  const launched = launch(plan, { fds: { target, ...fds }, stdio });
  closeSync(target);
  return launched;
}

/** What a script prints that is executed in the box. */
export async function output(
  box: Box,
  script: string,
  process: Partial<RuntimeProcess> = {},
  changes: Changes = {},
): Promise<string> {
  const file = outputFile();
  const launched = start(box, commandOf({ args: ["sh", "-c", script], ...process }), {
    stdio: ["ignore", file.fd, file.fd],
    ...changes,
  });
  try {
    const status = await launched.wait();
    if (status !== 0) throw new Error(`status ${status}: ${file.text()}`);
    return file.text().trim();
  } finally {
    closeSync(file.fd);
  }
}

/** Why it could not be executed. */
export const failure = (box: Box, process: Partial<RuntimeProcess>): Promise<unknown> =>
  start(box, commandOf(process))
    .wait()
    .then(
      (status) => new Error(`status ${status}`),
      (error: unknown) => error,
    );
