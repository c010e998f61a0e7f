/** bpf(2), as far as programs that guard the devices of a control group need it. Root only (CAP_BPF and CAP_NET_ADMIN). */
import { ptr } from "bun:ffi";
import { EINVAL, ENOENT, SyscallError } from "./errno.ts";
import { check, libc } from "./library.ts";
import { syscallNumber } from "./syscalls.ts";

// linux/bpf.h: enum bpf_cmd, bpf_prog_type, bpf_attach_type, and flags of BPF_PROG_ATTACH
const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_PROG_QUERY = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** Since 5.6; EINVAL before. */
const BPF_F_REPLACE = 4;

/** The kernel's own limit of programs on one control group (BPF_CGROUP_MAX_PROGS). */
const maxPrograms = 64;

/** Fields of union bpf_attr for one command: offset → value; those of 8 bytes are bigints. */
type Attributes = Readonly<Record<number, number | bigint>>;

function attributes(size: number, fields: Attributes): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(size));
  for (const [offset, value] of Object.entries(fields)) {
    if (typeof value === "bigint") view.setBigUint64(Number(offset), value, true);
    else view.setUint32(Number(offset), value, true);
  }
  return view;
}

function call(name: string, command: number, attr: DataView<ArrayBuffer>, object?: string): number {
  const nr = syscallNumber("bpf", process.arch === "arm64" ? "aarch64" : "x86_64") ?? -1;
  return check(name, object, libc().syscall(nr, command, ptr(attr), attr.byteLength, 0, 0, 0));
}

const license = new TextEncoder().encode("Apache-2.0\0");

/** BPF_PROG_LOAD of a program of type cgroup device: its descriptor, closed on exec. EINVAL, EACCES: the verifier refuses it. */
export function loadDeviceProgram(instructions: Uint8Array): number {
  const attr = attributes(48, {
    0: BPF_PROG_TYPE_CGROUP_DEVICE,
    4: instructions.byteLength / 8,
    8: BigInt(ptr(instructions)),
    16: BigInt(ptr(license)),
  });
  return call("bpf BPF_PROG_LOAD", BPF_PROG_LOAD, attr);
}

/** BPF_PROG_QUERY: ids of the device programs that are attached to the group itself. */
export function attachedDevicePrograms(group: number): readonly number[] {
  const ids = new Uint32Array(maxPrograms);
  const attr = attributes(32, { 0: group, 4: BPF_CGROUP_DEVICE, 16: BigInt(ptr(ids)), 24: maxPrograms });
  call("bpf BPF_PROG_QUERY", BPF_PROG_QUERY, attr);
  return [...ids.subarray(0, attr.getUint32(24, true))];
}

/** BPF_PROG_GET_FD_BY_ID: undefined if it is gone meanwhile. */
export function openProgram(id: number): number | undefined {
  try {
    return call("bpf BPF_PROG_GET_FD_BY_ID", BPF_PROG_GET_FD_BY_ID, attributes(12, { 0: id }), `program ${id}`);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENOENT) return undefined;
    throw error;
  }
}

/** BPF_PROG_ATTACH beside those that are there; every one of them must allow. False: replacing is unknown to this kernel. */
export function attachDeviceProgram(group: number, program: number, replace?: number): boolean {
  const flags = replace === undefined ? BPF_F_ALLOW_MULTI : BPF_F_ALLOW_MULTI | BPF_F_REPLACE;
  const attr = attributes(20, { 0: group, 4: program, 8: BPF_CGROUP_DEVICE, 12: flags, 16: replace ?? 0 });
  try {
    call("bpf BPF_PROG_ATTACH", BPF_PROG_ATTACH, attr);
    return true;
  } catch (error) {
    if (replace !== undefined && error instanceof SyscallError && error.errno === EINVAL) return false;
    throw error;
  }
}

/** BPF_PROG_DETACH. */
export function detachDeviceProgram(group: number, program: number): void {
  call("bpf BPF_PROG_DETACH", BPF_PROG_DETACH, attributes(20, { 0: group, 4: program, 8: BPF_CGROUP_DEVICE }));
}
