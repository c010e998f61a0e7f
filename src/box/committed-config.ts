/** How boxes of a committed image run: as the box itself does, which is its image's config with what was asked for it. */

import type { RunOptions } from "../bundle/options.ts";
import type { ImageExecution, ImageHealthcheck } from "../oci/image.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import type { BoxRecord } from "../store/types.ts";
import type { HealthCheck } from "./settings.ts";

/** What was asked for with the box. */
export type Remembered = Pick<RunOptions, "command" | "labels"> & Partial<RunOptions>;

/**
 * The same of a box in the foreground that is removed at its end, whose options nobody has written down: as far as its
 * config.json shows them.
 */
export function seenOptions(record: BoxRecord, { process }: RuntimeConfig, image: ImageExecution): Remembered {
  const { command, labels } = record;
  const { args, env, cwd, user } = process;
  const entrypoint = args.slice(0, args.length - (command.length > 0 ? command : (image.Cmd ?? [])).length);
  const isOfImage = isEqual(entrypoint, image.Entrypoint ?? []);
  return {
    command,
    labels,
    env: env.filter((text) => image.Env?.includes(text) !== true && !isGiven(text)),
    ...(cwd === (image.WorkingDir ?? "/") ? {} : { workdir: cwd }),
    ...(isOfImage ? {} : { entrypoint: command.length > 0 ? entrypoint : args }),
    ...(image.User === undefined && user.uid !== 0 ? { user: `${user.uid}:${user.gid}` } : {}),
  };
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

/** What every box has (bundle/environment.ts). */
function isGiven(text: string): boolean {
  return /^(?:PATH|HOSTNAME|HOME|TERM|container)=/.test(text);
}

/**
 * docker's rules (docker-commit(1), moby runconfig.Merge). What belongs to this run alone is left out: host name, limits,
 * mounts of the machine's files.
 */
export function committedExecution(
  image: ImageExecution,
  asked: Remembered,
  health: HealthCheck | undefined,
): ImageExecution {
  // Triggers are for who builds on the image itself (Dockerfile reference, ONBUILD).
  const { OnBuild: _onBuild, Cmd, Entrypoint, ...rest } = image;
  const ports = (asked.ports ?? []).map((port) => [`${port.containerPort}/${port.protocol}`, {}] as const);
  const volumes = (asked.mounts ?? []).flatMap((mount) =>
    mount.kind === "anonymous" ? [[mount.target, {}] as const] : [],
  );
  return {
    ...rest,
    ...commandOf({ Cmd, Entrypoint }, asked),
    ...(asked.user === undefined ? {} : { User: asked.user }),
    ...(asked.workdir === undefined ? {} : { WorkingDir: asked.workdir }),
    ...(asked.stopSignal === undefined ? {} : { StopSignal: asked.stopSignal }),
    ...filled("Env", mergeEnv(image.Env ?? [], asked.env ?? [])),
    ...filled("Labels", { ...image.Labels, ...asked.labels }),
    ...filled("ExposedPorts", { ...image.ExposedPorts, ...Object.fromEntries(ports) }),
    ...filled("Volumes", { ...image.Volumes, ...Object.fromEntries(volumes) }),
    ...healthOf(image, asked, health),
  };
}

/** An entrypoint of one's own drops the image's command (`run --entrypoint`). */
function commandOf(
  { Cmd, Entrypoint }: { readonly Cmd: ImageExecution["Cmd"]; readonly Entrypoint: ImageExecution["Entrypoint"] },
  { command, entrypoint }: Remembered,
): Pick<ImageExecution, "Cmd" | "Entrypoint"> {
  const ownCommand = command.length > 0 ? command : entrypoint === undefined ? Cmd : undefined;
  const ownEntrypoint = entrypoint ?? Entrypoint;
  return {
    ...(ownEntrypoint === undefined || ownEntrypoint.length === 0 ? {} : { Entrypoint: ownEntrypoint }),
    ...(ownCommand === undefined ? {} : { Cmd: ownCommand }),
  };
}

/** A variable keeps its place; a bare name takes it away. */
function mergeEnv(image: readonly string[], asked: readonly string[]): readonly string[] {
  const merged = new Map(image.map((text): [string, string] => [text.split("=", 1)[0] ?? "", text]));
  for (const text of asked) {
    const [name = ""] = text.split("=", 1);
    if (text.includes("=")) merged.set(name, text);
    else merged.delete(name);
  }
  return [...merged.values()];
}

/** What is empty is not written down. */
function filled<K extends keyof ImageExecution>(key: K, value: object): Pick<ImageExecution, K> | object {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}

/** The one of the box, when it was asked for; nanoseconds, as docker counts. */
function healthOf(image: ImageExecution, { health: asked }: Remembered, health: HealthCheck | undefined): object {
  if (asked === undefined || Object.keys(asked).length === 0) return {};
  if (health === undefined) return image.Healthcheck === undefined ? {} : { Healthcheck: { Test: ["NONE"] } };
  const nanoseconds = (milliseconds: number): number => milliseconds * 1_000_000;
  const Healthcheck: ImageHealthcheck = {
    Test: ["CMD", ...health.args],
    Interval: nanoseconds(health.intervalMs),
    Timeout: nanoseconds(health.timeoutMs),
    StartPeriod: nanoseconds(health.startPeriodMs),
    StartInterval: nanoseconds(health.startIntervalMs),
    Retries: health.retries,
  };
  return { Healthcheck };
}
