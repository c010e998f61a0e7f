/** Where the host has a device: nodes are found by their numbers, since paths are only names (makedev(3)). */
import { readFileSync, statSync } from "node:fs";

export interface DeviceNumbers {
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
}

/** Path of a node of this device: `expected` if it is one, else where the kernel says that it is; undefined: there is none. */
export function findDeviceNode(device: DeviceNumbers, expected: string): string | undefined {
  return [expected, ...namedByKernel(device)].find((path) => isNode(path, device));
}

function isNode(path: string, { type, major, minor }: DeviceNumbers): boolean {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (stat === undefined || !(type === "c" ? stat.isCharacterDevice() : stat.isBlockDevice())) return false;
  // st_rdev as glibc has it (gnu_dev_makedev): 12 and 20 bits of the major number, 8 and 24 of the minor.
  const { rdev } = stat;
  const ofMajor = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const ofMinor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return ofMajor === BigInt(major) && ofMinor === BigInt(minor);
}

/** sysfs(5): /sys/dev/char/10:229/uevent says `DEVNAME=fuse`. */
function namedByKernel({ type, major, minor }: DeviceNumbers): string[] {
  try {
    const text = readFileSync(`/sys/dev/${type === "c" ? "char" : "block"}/${major}:${minor}/uevent`, "utf8");
    const [, name] = /^DEVNAME=(.+)$/m.exec(text) ?? [];
    return name === undefined ? [] : [`/dev/${name}`];
  } catch {
    return []; // no such device, or no sysfs
  }
}
