/** Boxes with mounts and devices as config.json has them: with a user namespace of their own, and without one for root. */
import { chmodSync, closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LinuxConfig, RuntimeConfig, RuntimeMount } from "../../src/oci/runtime.ts";
import { type CreateInput, create } from "../../src/runtime/create.ts";
import { deviceSources } from "../../src/runtime/sandbox-facts.ts";
import type { SandboxInput } from "../../src/sandbox/input.ts";
import { launcherMounts } from "../../src/sandbox/sources.ts";
import { type BoxSettings, boxInput, failure, host, sharedDirectory, type Workshop } from "./busybox-box.ts";

/** Whose rights the box is built with: those of its own user namespace, or root's of the host. */
export type Kind = "user namespace" | "no user namespace";

export const kinds: readonly Kind[] = host.uid === 0 ? ["user namespace", "no user namespace"] : ["user namespace"];

export interface OciSettings extends BoxSettings {
  readonly kind?: Kind;
  /** Mounts behind those that every box has. */
  readonly mounts?: readonly RuntimeMount[];
  readonly linux?: Partial<LinuxConfig>;
  /** Sources of mounts that are files. */
  readonly files?: readonly string[];
  readonly sandbox?: Partial<SandboxInput>;
}

/** The input of `create` for such a box. */
export function ociInput(workshop: Workshop, command: readonly string[], settings: OciSettings): CreateInput {
  const { kind = "user namespace", mounts = [], linux = {} } = settings;
  const input = boxInput(workshop, command, settings);
  const { config } = input.sandbox;
  const { namespaces } = config.linux;
  const whole: RuntimeConfig = {
    ...config,
    mounts: [...config.mounts, ...mounts],
    linux: {
      ...config.linux,
      ...linux,
      namespaces: kind === "user namespace" ? namespaces : namespaces.filter(({ type }) => type !== "user"),
    },
  };
  const sandbox = {
    ...input.sandbox,
    config: whole,
    idMap: kind === "user namespace" ? input.sandbox.idMap : undefined,
    sourceKinds: new Map([
      ...input.sandbox.sourceKinds,
      ...(settings.files ?? []).map((file) => [file, "file"] as const),
    ]),
    deviceSources: deviceSources(whole.linux.devices ?? []),
    ...settings.sandbox,
  };
  return { ...input, sandbox: { ...sandbox, openedMounts: launcherMounts(sandbox) } };
}

/** What a shell script prints in such a box, whatever its exit status. */
export async function inBox(workshop: Workshop, script: string, settings: OciSettings = {}): Promise<string> {
  const out = sharedDirectory(workshop);
  const bind = { destination: "/out", type: "bind", source: out, options: ["rbind"] };
  const command = ["/bin/sh", "-c", `exec >/out/text 2>&1\n${script}`];
  const mounts = [...(settings.mounts ?? []), bind];
  const container = await create(ociInput(workshop, command, { ...settings, mounts }));
  container.start();
  await container.launched.wait();
  if (container.terminal !== undefined) closeSync(container.terminal);
  chmodSync(out, 0o777);
  return readFileSync(join(out, "text"), "utf8").trim();
}

/** The error of such a box, which does not come up. */
export function boxFailure(workshop: Workshop, settings: OciSettings): Promise<unknown> {
  return failure(ociInput(workshop, ["/bin/true"], settings));
}

/** Options of a mount, and of its file system, as /proc/self/mountinfo has them. */
export interface MountLine {
  readonly root: string;
  readonly options: readonly string[];
  /** `shared:1`, `master:2`, `unbindable`. */
  readonly tags: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** What is mounted on `destination`, on top. */
export async function mountIn(workshop: Workshop, destination: string, settings: OciSettings): Promise<MountLine> {
  const text = await inBox(workshop, "cat /proc/self/mountinfo", settings);
  return mountLine(text, destination);
}

export function mountLine(mountinfo: string, destination: string): MountLine {
  const line = mountinfo.split("\n").findLast((each) => each.split(" ")[4] === destination);
  if (line === undefined) throw new Error(`nothing is mounted on ${destination}:\n${mountinfo}`);
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root = "", , options = "", ...tags] = before.split(" ");
  const [type = "", source = "", superOptions = ""] = after.split(" ");
  return { root, options: options.split(","), tags, type, source, superOptions: superOptions.split(",") };
}
