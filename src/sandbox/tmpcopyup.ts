/**
 * `tmpcopyup`: a tmpfs that begins with the content of the directory that it covers.
 *
 * runc copies the files. A plan cannot walk a directory, and the directory may be visible in the box's mount namespace
 * only; so an overlayfs does it: below the directory as it is, above it the tmpfs. What is seen and what may be written are the
 * same, writes take memory and count against its size, nothing reaches the directory. What differs: the mount on top is called
 * overlay, and unchanged files take no memory. A directory that is empty or missing gets the plain tmpfs.
 */
import { MOUNT_ATTR_RDONLY, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "../../ffi/constants.ts";
import { EINVAL } from "../../ffi/errno.ts";
import type { Data } from "../../ffi/launcher/wire.ts";
import type { Mark } from "../launch/plan.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import { setPropagation } from "./detached.ts";
import { type FileSystemRequest, newFileSystem } from "./file-system.ts";
import type { SandboxInput } from "./input.ts";
import type { MountOptions } from "./mount-options.ts";
import { firstLayerFd } from "./numbers.ts";
import { attachMount, openHow, openInRoot, type RootPlan } from "./paths.ts";
import { jumpTo, readStatus, type Slot, statField } from "./steps.ts";

export interface CopyUpRequest {
  /** The tmpfs. */
  readonly request: FileSystemRequest;
  readonly mount: RuntimeMount;
  readonly options: MountOptions;
  readonly input: SandboxInput;
  /** Steps of the same mount without the option. */
  readonly plain: () => void;
}

/** Steps that make the mount; it stays in `mount`. */
export function copyUp(context: RootPlan, { request, mount, options, input, plain }: CopyUpRequest): void {
  const { plan } = context;
  const [nothing, done] = [plan.mark("nothing to copy"), plan.mark("copied up")];
  plan.scoped(() => {
    const covered = { slot: plan.slot() };
    const how = openHow(O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    openInRoot({ ...context, found: covered }, mount.destination, { how, orElse: nothing });
    const empty = plan.mark("it is empty");
    skipIfEmpty(context, request.label, covered, empty);
    cover(context, request, options, input, covered);
    plan.syscall("close a descriptor", "close", [covered]);
    jumpTo(plan, done);
    plan.here(empty);
    plan.syscall("close a descriptor", "close", [covered]);
  });
  plan.here(nothing);
  plain();
  plan.here(done);
}

/** `.` and `..` take 24 bytes each (getdents(2)): who has more entries has one that is left, or does not fit. */
function skipIfEmpty({ plan }: RootPlan, label: string, directory: Slot, empty: Mark): void {
  const entries = plan.buffer(48);
  const filled = plan.mark("it has files");
  plan.syscall(label, "getdents64", [directory, entries, 48]);
  plan.syscall(label, "getdents64", [directory, entries, 48], { onZero: empty, tolerate: [EINVAL], onError: filled });
  plan.here(filled);
}

function cover(
  context: RootPlan,
  request: FileSystemRequest,
  options: MountOptions,
  input: SandboxInput,
  covered: Slot,
): void {
  const { plan } = context;
  const { label } = request;
  plan.scoped(() => {
    const memory = { slot: plan.slot() };
    newFileSystem({ ...context, mount: memory }, { ...request, attributes: request.attributes & ~MOUNT_ATTR_RDONLY });
    makeLayers(context, label, options, memory, covered);
    // overlayfs takes mounted directories only (before 6.15): the tmpfs lies between.
    attachMount({ ...context, mount: memory, found: covered }, label);
    nameLayers(context, label, memory, covered);
    newFileSystem(context, overlayRequest(request, input));
    plan.syscall(label, "close_range", [firstLayerFd, firstLayerFd + layers.length - 1, 0]);
    setPropagation(context, label, options);
    attachMount({ ...context, found: memory }, label);
    plan.syscall("close a descriptor", "close", [memory]);
  });
}

const layers = ["lowerdir", "upperdir", "workdir"] as const;

/** The root of the overlay is what its upper layer is: with the mode and the owner of the directory, unless others are asked for. */
function makeLayers({ plan }: RootPlan, label: string, options: MountOptions, memory: Slot, covered: Slot): void {
  for (const name of ["upper", "work"]) plan.syscall(label, "mkdirat", [memory, plan.string(name), 0o755]);
  const asked = (...keys: readonly string[]): boolean =>
    options.parameters.some((parameter) => keys.some((key) => parameter.startsWith(`${key}=`)));
  const ofMemory = readStatus(plan, label, memory);
  const ofCovered = readStatus(plan, label, covered);
  const upper = plan.string("upper");
  plan.scoped(() => {
    const load = (from: Data, offset: number): Slot => {
      const slot = plan.slot();
      plan.add({ kind: "load", slot, from, offset, width: 4 });
      return { slot };
    };
    const owner = asked("uid", "gid") ? ofMemory : ofCovered;
    const [uid, gid] = [load(owner, statField.uid), load(owner, statField.gid)];
    plan.syscall(label, "fchownat", [memory, upper, uid, gid, 0]);
    // After the owner: a change of it takes the setgid bit away (chown(2)).
    plan.syscall(label, "fchmodat", [memory, upper, load(asked("mode") ? ofMemory : ofCovered, statField.mode)]);
  });
}

function nameLayers({ plan }: RootPlan, label: string, memory: Slot, covered: Slot): void {
  plan.syscall(label, "dup3", [covered, firstLayerFd, O_CLOEXEC]);
  for (const [index, name] of ["upper", "work"].entries())
    plan.scoped(() => {
      const opened = { slot: plan.slot() };
      const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
      plan.syscall(label, "openat", [memory, plan.string(name), flags, 0], { save: opened.slot });
      plan.syscall(label, "dup3", [opened, firstLayerFd + 1 + index, O_CLOEXEC]);
      plan.syscall("close a descriptor", "close", [opened]);
    });
}

function overlayRequest({ label, attributes, context }: FileSystemRequest, input: SandboxInput): FileSystemRequest {
  const inUserNamespace = input.config.linux.namespaces.some(({ type }) => type === "user");
  const parameters = layers.map((layer, index) => `${layer}=/proc/self/fd/${firstLayerFd + index}`);
  if (inUserNamespace) parameters.push("userxattr");
  return { type: "overlay", label, source: "tmpfs", options: { flags: [], parameters }, attributes, context };
}
