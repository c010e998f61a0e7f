/** New file systems as steps: a detached mount (fsopen(2), fsconfig(2), fsmount(2)), or where that has no words, mount(2). */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_DIRSYNC,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_STRICTATIME,
  MS_SYNCHRONOUS,
} from "../../ffi/constants.ts";
import { DevboxError } from "../core/errors.ts";
import type { MountOptions } from "./mount-options.ts";
import type { RootPlan } from "./paths.ts";

/** What is wanted; `label` names the mount in errors. */
export interface FileSystemRequest {
  readonly type: string;
  readonly label: string;
  readonly source: string | undefined;
  readonly options: Pick<MountOptions, "flags" | "parameters">;
  /** MOUNT_ATTR_* of the mount. */
  readonly attributes: number;
  /** SELinux context of its files (linux.mountLabel). */
  readonly context?: string | undefined;
  /** Where to go on when the file system is refused with one of these. */
  readonly refusal?: { readonly tolerate: readonly number[]; readonly onError: string };
}

/** fsconfig(2) copies no longer strings (fs/fsopen.c). */
const longestValue = 255;
/** mount(2) copies one page of options, with its NUL. */
const longestOptions = 4095;

/**
 * File systems that exist once, or once a namespace: read-only is the mount then, not what all others see. A tmpfs has to be
 * filled first.
 */
const sharedTypes: ReadonlySet<string> = new Set([
  ...["proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "tmpfs", "debugfs", "tracefs", "securityfs", "bpf"],
]);

/** Is there an option that only mount(2) takes: overlay directories with long names? */
export function needsOldMount({ options, source }: Pick<FileSystemRequest, "options" | "source">): boolean {
  const values = [source ?? "", ...options.parameters.map((parameter) => splitParameter(parameter).value ?? parameter)];
  return values.some((value) => Buffer.byteLength(value) > longestValue);
}

/** Steps that leave a new detached file system in `mount`. */
export function newFileSystem(context: RootPlan, request: FileSystemRequest): void {
  const { plan, mount, found } = context;
  const { type, label, source, attributes, refusal } = request;
  plan.syscall(label, "fsopen", [plan.string(type), FSOPEN_CLOEXEC], {
    save: found.slot,
    ...(refusal === undefined ? {} : refusal),
  });
  if (source !== undefined && source !== "") configure(context, label, FSCONFIG_SET_STRING, "source", source);
  if (attributes & MOUNT_ATTR_RDONLY && !sharedTypes.has(type)) configure(context, label, FSCONFIG_SET_FLAG, "ro");
  configureAll(context, request);
  plan.syscall(label, "fsconfig", [found, FSCONFIG_CMD_CREATE, 0, 0, 0], refusal);
  plan.syscall(label, "fsmount", [found, FSMOUNT_CLOEXEC, attributes], { save: mount.slot });
}

/** Steps that give the file system mounted at `found` other flags and parameters; they leave `mount` as a worktool. */
export function reconfigure(
  context: RootPlan,
  request: Pick<FileSystemRequest, "label" | "options" | "context">,
): void {
  const { plan, found, mount } = context;
  const { label } = request;
  plan.syscall(label, "fspick", [found, plan.string(""), FSPICK_CLOEXEC | FSPICK_EMPTY_PATH], { save: mount.slot });
  configureAll({ ...context, found: mount }, request);
  plan.syscall(label, "fsconfig", [mount, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0]);
}

function configureAll(
  context: RootPlan,
  { label, options, context: secure }: Pick<FileSystemRequest, "label" | "options" | "context">,
): void {
  for (const flag of options.flags) configure(context, `${label}: option ${flag}`, FSCONFIG_SET_FLAG, flag);
  for (const parameter of options.parameters) {
    const { key, value } = splitParameter(parameter);
    const step = `${label}: option ${parameter}`;
    configure(context, step, value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key, value);
  }
  if (secure !== undefined)
    configure(context, `${label}: linux.mountLabel ${secure}`, FSCONFIG_SET_STRING, "context", secure);
}

function configure({ plan, found }: RootPlan, label: string, command: number, key: string, value?: string): void {
  const text = value === undefined ? 0 : plan.string(value);
  plan.syscall(label, "fsconfig", [found, command, plan.string(key), text, 0]);
}

function splitParameter(parameter: string): { key: string; value: string | undefined } {
  const equals = parameter.indexOf("=");
  if (equals < 0) return { key: parameter, value: undefined };
  return { key: parameter.slice(0, equals), value: parameter.slice(equals + 1) };
}

const oldAttributes: readonly (readonly [attribute: number, flag: number])[] = [
  [MOUNT_ATTR_RDONLY, MS_RDONLY],
  [MOUNT_ATTR_NOSUID, MS_NOSUID],
  [MOUNT_ATTR_NODEV, MS_NODEV],
  [MOUNT_ATTR_NOEXEC, MS_NOEXEC],
  [MOUNT_ATTR_NOATIME, MS_NOATIME],
  [MOUNT_ATTR_STRICTATIME, MS_STRICTATIME],
  [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME],
  [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW],
];

const oldFlags: Readonly<Record<string, number>> = {
  sync: MS_SYNCHRONOUS,
  dirsync: MS_DIRSYNC,
  lazytime: MS_LAZYTIME,
  mand: MS_MANDLOCK,
};

/**
 * Steps that mount on the directory in `found` by mount(2), whose target is a path: that of the descriptor in the host's
 * /proc, which leads to the very directory and nowhere else.
 * @throws DevboxError BAD_CONFIG for more options than the kernel copies
 */
export function mountOldWay({ plan, found }: RootPlan, request: FileSystemRequest): void {
  const { type, label, source = type, options, attributes, context } = request;
  const data = [...options.parameters, ...(context === undefined ? [] : [`context="${context}"`])].join(",");
  if (Buffer.byteLength(data) > longestOptions) {
    const because = `its options are longer than the ${longestOptions} bytes that the kernel takes`;
    throw new DevboxError("BAD_CONFIG", { step: label, because });
  }
  const flags = [
    ...oldAttributes.filter(([attribute]) => attributes & attribute).map(([, flag]) => flag),
    ...options.flags.map((flag) => oldFlags[flag] ?? 0),
  ].reduce((all, flag) => all | flag, 0);
  const target = plan.buffer(48);
  const prefix = new TextEncoder().encode("/proc/self/fd/");
  target.data.bytes.set(prefix);
  plan.add({ kind: "format", slot: found.slot, into: target.data, offset: prefix.length });
  plan.syscall(label, "mount", [plan.string(source), target, plan.string(type), flags, plan.string(data)]);
}
