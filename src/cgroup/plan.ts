/** Resources as a list of writes: what both versions share. Planning is pure; `apply.ts` writes. */
import { DevboxError } from "../core/errors.ts";
import type { CpuResources, Integer64 } from "../oci/runtime.ts";

/** One write(2) to a file of a control group. */
export interface ControlWrite {
  /** In whose tree the file is, on version 1. */
  readonly controller: string;
  readonly file: string;
  readonly text: string;
  /** Of config.json: `linux.resources.memory.limit`. */
  readonly property: string;
  /** Written instead if `file` is not there. */
  readonly instead?: { readonly file: string; readonly text: string };
  /** A missing file is no failure: an accounting that this kernel does not have, beside one that was written. */
  readonly optional?: boolean;
  /**
   * The kernel may refuse it (EINVAL) as long as another value of the same controller is the old one, so that no order is right
   * for both raising and lowering: then it is written again after the others.
   */
  readonly postponable?: boolean;
}

export interface ResourcePlan {
  readonly writes: readonly ControlWrite[];
  /** What has no effect on this version, in words, for the log. */
  readonly ignored: readonly string[];
}

/** 0 is what engines write for "not given" where the kernel has no such value. */
export function isGiven(value: Integer64 | undefined): value is Integer64 {
  return value !== undefined && value !== 0 && value !== 0n;
}

/** Version 2 and pids.max say `max` where config.json says -1. */
export function orMax(value: Integer64): string {
  return BigInt(value) < 0n ? "max" : String(value);
}

export function badResource(property: string, because: string): DevboxError {
  return new DevboxError("BAD_CONFIG", { step: `limit the container's resources: ${property}`, because });
}

/** A size as in the names of hugetlb files, which it becomes a part of. */
export function requirePageSize(pageSize: string, property: string): void {
  if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) {
    throw badResource(property, `a page size looks like 64KB, 2MB or 1GB, not ${JSON.stringify(pageSize)}`);
  }
}

/** A list of processors or memory nodes: `0-3,7` (cpuset(7) "List format"). */
export function requireList(list: string, property: string): void {
  if (!/^[\d,\-:/ ]*$/.test(list)) throw badResource(property, `a list looks like 0-3,7, not ${JSON.stringify(list)}`);
}

/** A name that becomes a word of a line. */
export function requireWord(name: string, property: string): void {
  if (!/^[^\s=]+$/.test(name)) throw badResource(property, `${JSON.stringify(name)} is not a name`);
}

/** rdma.max has the same lines on both versions: `mlx4_0 hca_handle=2 hca_object=2000`. */
export function rdmaWrites(
  rdma: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>> = {},
): readonly ControlWrite[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const property = `linux.resources.rdma.${device}`;
    requireWord(device, property);
    const words = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (words.length === 0) throw badResource(property, "it has neither hcaHandles nor hcaObjects");
    return { controller: "rdma", file: "rdma.max", text: [device, ...words].join(" "), property };
  });
}

/** cpuset.cpus and cpuset.mems are named alike in both versions, and so is pids.max. */
export function cpusetWrites({ cpus, mems }: CpuResources): readonly ControlWrite[] {
  return Object.entries({ cpus, mems }).flatMap(([name, list]) => {
    if (list === undefined || list === "") return [];
    const property = `linux.resources.cpu.${name}`;
    requireList(list, property);
    return [{ controller: "cpuset", file: `cpuset.${name}`, text: list, property }];
  });
}

export function pidsWrite(limit: Integer64): ControlWrite {
  return { controller: "pids", file: "pids.max", text: orMax(limit), property: "linux.resources.pids.limit" };
}
