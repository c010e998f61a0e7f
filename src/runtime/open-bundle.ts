/** A bundle (runtime-spec bundle.md): config.json, with every path in it made absolute, and what bind mounts bring. */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { O_CLOEXEC } from "../../ffi/constants.ts";
import { DevboxError, errnoName } from "../core/errors.ts";
import { maxRuntimeConfigBytes, parseRuntimeConfig } from "../oci/parse-runtime.ts";
import type { LinuxConfig, ParsedConfig, RuntimeMount } from "../oci/runtime.ts";

export interface OpenedBundle {
  /** Absolute, by the name that it was given by: engines look for what they know, and hooks get the same. */
  readonly directory: string;
  readonly config: ParsedConfig;
  /** Absolute. */
  readonly rootfs: string;
  readonly sourceKinds: ReadonlyMap<string, "directory" | "file">;
}

/** @throws DevboxError BAD_CONFIG naming the file, the place in it and the reason */
export function openBundle(directory: string, file: string, warn: (warning: string) => void): OpenedBundle {
  const bundle = resolveBundle(directory);
  const path = resolve(bundle, file);
  const parsed = parseRuntimeConfig(readConfig(path), { path, warn });
  const mounts = parsed.mounts.map((mount) => absoluteSource(mount, bundle));
  const rootfs = resolveRoot(resolve(bundle, parsed.root.path), path);
  const linux = withoutVainLabel(parsed.linux, warn);
  const config = { ...parsed, linux, root: { ...parsed.root, path: rootfs }, mounts };
  return { directory: bundle, config, rootfs, sourceKinds: findSources(mounts, path) };
}

function resolveBundle(directory: string): string {
  const step = `open the bundle ${directory}`;
  const bundle = resolve(directory);
  try {
    if (statSync(bundle).isDirectory()) return bundle;
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step, cause });
  }
  throw new DevboxError("BAD_CONFIG", { step, because: "not a directory" });
}

/** A file and nothing else: a FIFO in its place would be waited for, and a device need not end. */
function readConfig(path: string): Uint8Array {
  const step = `read ${path}`;
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | O_CLOEXEC);
    const status = fstatSync(file);
    if (!status.isFile()) throw new DevboxError("BAD_CONFIG", { step, because: "not a regular file" });
    if (status.size > maxRuntimeConfigBytes) {
      const because = `it has ${status.size} bytes; at most ${maxRuntimeConfigBytes} are accepted`;
      throw new DevboxError("BAD_CONFIG", { step, because });
    }
    return readFileSync(file);
  } catch (cause) {
    if (cause instanceof DevboxError) throw cause;
    throw new DevboxError("BAD_CONFIG", { step, cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Without SELinux nobody reads labels of files, and the kernel refuses to set them: left out, as crun has it. */
function withoutVainLabel(linux: LinuxConfig, warn: (warning: string) => void): LinuxConfig {
  const { mountLabel = "", ...rest } = linux;
  if (mountLabel === "" || existsSync("/sys/fs/selinux")) return linux;
  warn(`linux.mountLabel: SELinux is not in use here, ${mountLabel} is left out`);
  return rest;
}

/** It may lie behind symbolic links of the host's; those inside it are followed by nobody. */
function resolveRoot(rootfs: string, path: string): string {
  const step = `read ${path}: root.path: open ${rootfs}`;
  let found: string;
  try {
    found = realpathSync(rootfs);
    if (statSync(found).isDirectory()) return found;
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step, cause });
  }
  throw new DevboxError("BAD_CONFIG", { step, because: "not a directory" });
}

/** config.md "Mounts": relative to the bundle. */
function absoluteSource(mount: RuntimeMount, bundle: string): RuntimeMount {
  if (!isBind(mount) || mount.source === undefined) return mount;
  return { ...mount, source: resolve(bundle, mount.source) };
}

function isBind({ type, options = [] }: RuntimeMount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

function findSources(mounts: readonly RuntimeMount[], path: string): Map<string, "directory" | "file"> {
  const kinds = new Map<string, "directory" | "file">();
  for (const [index, mount] of mounts.entries()) {
    if (!isBind(mount)) continue;
    const { source } = mount;
    const step = `read ${path}: mounts[${index}].source`;
    if (source === undefined) throw new DevboxError("BAD_CONFIG", { step, because: "a bind mount needs one" });
    kinds.set(source, kindOf(source, step));
  }
  return kinds;
}

function kindOf(source: string, step: string): "directory" | "file" {
  try {
    return statSync(source).isDirectory() ? "directory" : "file";
  } catch (cause) {
    // Closed to us it may be open to root of the container's user namespace, and says itself what it is not.
    if (errnoName(cause) === "EACCES") return "directory";
    throw new DevboxError("BAD_CONFIG", { step: `${step}: open ${source}`, cause });
  }
}
