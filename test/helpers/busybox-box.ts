/** Boxes of busybox on the real kernel, without store or image: a root file system in a temporary directory, and `create`. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { createBundle } from "../../src/bundle/create.ts";
import type { RunOptions } from "../../src/bundle/options.ts";
import type { RootfsPlan } from "../../src/bundle/rootfs-plan.ts";
import { defaultIdMap } from "../../src/host/id-map.ts";
import { readHostFacts } from "../../src/host/read-facts.ts";
import type { ImageExecution } from "../../src/oci/image.ts";
import type { IdMap, RuntimeConfig } from "../../src/oci/runtime.ts";
import { type Container, type CreateInput, create } from "../../src/runtime/create.ts";
import { runHookProgram } from "../../src/runtime/hooks.ts";
import { capabilitySets, grantedCapabilities } from "../../src/sandbox/capabilities.ts";
import { defaultSeccomp } from "../../src/sandbox/seccomp-profile.ts";
import { bundleInput, runOptions } from "./bundle-input.ts";
import { inUserNamespace } from "./devbox.ts";

export const host = readHostFacts(process.env);

/** A temporary directory with `root`, a tree that has busybox and accounts, and `out`, where boxes leave what they print. */
export interface Workshop extends AsyncDisposable {
  readonly path: string;
  readonly root: string;
}

export function openWorkshop(): Workshop {
  const path = mkdtempSync(join(tmpdir(), "devbox-box-"));
  // Users of a box are others on the host, and must reach what is bound from here.
  chmodSync(path, 0o755);
  const root = join(path, "root");
  makeBusyboxRoot(root);
  return {
    path,
    root,
    async [Symbol.asyncDispose]() {
      await $`${[...inUserNamespace(), "/bin/rm", "-rf", path]}`.quiet();
    },
  };
}

/** busybox with its applets in /bin, accounts, and nothing else: no /proc, no /dev, no /etc/hosts. */
export function makeBusyboxRoot(root: string): void {
  for (const name of ["bin", "etc", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  const applets =
    "sh cat ls id stat tty stty sleep echo grep head wc mkdir touch umask pwd readlink find kill ps df sed mount umount cut tr";
  for (const name of applets.split(" ")) symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\ndev:x:1000:\naudio:x:29:dev\nvideo:x:44:dev\n");
}

export interface BoxSettings {
  readonly options?: Partial<RunOptions>;
  readonly image?: ImageExecution;
  /** The tree to use; default: the workshop's. */
  readonly root?: string;
  /** Changes of config.json. */
  readonly config?: (config: RuntimeConfig) => RuntimeConfig;
  readonly rootfs?: RootfsPlan;
  readonly idMap?: IdMap;
  readonly confined?: boolean;
  readonly runHook?: CreateInput["runHook"];
  readonly signal?: AbortSignal;
}

/** The input of `create` for a command in a box of the workshop. */
export function boxInput(workshop: Workshop, command: readonly string[], settings: BoxSettings = {}): CreateInput {
  const { options = {}, root = workshop.root, idMap = defaultIdMap(host), confined = true } = settings;
  const directory = mkdtempSync(join(workshop.path, "bundle-"));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, "rootfs"));
  const { capAdd, capDrop, privileged } = runOptions(options);
  const capabilities = grantedCapabilities({ add: capAdd, drop: capDrop, privileged });
  const config = {
    os: "linux",
    architecture: "amd64",
    config: settings.image ?? {},
    rootfs: { type: "layers", diff_ids: [] },
  } as const;
  const input = bundleInput(
    workshop.path,
    { kind: "directory", path: root, config },
    { command, ...options },
    {
      facts: host,
      idMap,
      box: {
        ...bundleInput(workshop.path, { kind: "directory", path: root }).box,
        directory,
        config: join(directory, "config.json"),
      },
      capabilitySets: (uid) => capabilitySets(capabilities, uid),
      seccomp: confined && !privileged ? defaultSeccomp({ capabilities, architecture: host.architecture }) : undefined,
    },
  );
  const bundle = createBundle(input);
  const rootfs = settings.rootfs ?? bundle.rootfs;
  return {
    id: "box",
    bundle: directory,
    sandbox: {
      config: settings.config?.(bundle.config) ?? bundle.config,
      rootfs,
      storeRoot: workshop.path,
      mountpoint: join(directory, "rootfs"),
      facts: host,
      idMap,
      sourceKinds: bundle.sourceKinds,
      init: input.options.init,
    },
    held: {},
    stdin: "ignore",
    runHook: settings.runHook ?? runHookProgram,
    signal: settings.signal ?? new AbortController().signal,
  };
}

/** A directory that every user of a box may write to. */
export function sharedDirectory(workshop: Workshop): string {
  const directory = mkdtempSync(join(workshop.path, "shared-"));
  chmodSync(directory, 0o777);
  return directory;
}

/** Runs a shell script in a box to its end: what it printed on both streams, and its exit status. */
export async function runScript(
  workshop: Workshop,
  script: string,
  settings: BoxSettings = {},
): Promise<{ readonly status: number; readonly output: string }> {
  const out = sharedDirectory(workshop);
  const bind = {
    kind: "bind",
    source: out,
    target: "/out",
    readonly: false,
    createSource: false,
    recursive: true,
  } as const;
  const options = { ...settings.options, mounts: [...(settings.options?.mounts ?? []), bind] };
  const command = ["/bin/sh", "-c", `exec >/out/text 2>&1\n${script}`];
  const container = await create(boxInput(workshop, command, { ...settings, options }));
  container.start();
  const status = await container.launched.wait();
  if (container.terminal !== undefined) closeSync(container.terminal);
  return { status, output: readFileSync(join(out, "text"), "utf8").trim() };
}

/** What a script prints whose exit status is 0. */
export async function output(workshop: Workshop, script: string, settings: BoxSettings = {}): Promise<string> {
  const result = await runScript(workshop, script, settings);
  if (result.status === 0) return result.output;
  throw new Error(`exit status ${result.status}: ${result.output}`);
}

/** Runs a box that does not come up, to its end: the error. */
export async function failure(input: CreateInput): Promise<unknown> {
  let container: Container;
  try {
    container = await create(input);
  } catch (error) {
    return error;
  }
  container.start();
  return await container.launched.wait().then(
    (status) => new Error(`it came up, and ended with status ${status}`),
    (error: unknown) => error,
  );
}
