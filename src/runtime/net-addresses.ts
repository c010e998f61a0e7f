/** Addresses of network devices: they lose them when they move to another network namespace (ip-netns(8)). */
import { os } from "../core/os.ts";
import type { DeviceAddress } from "../sandbox/input.ts";

/** Of those devices that are up, by their names. */
export function addressesOf(names: readonly string[]): Readonly<Record<string, readonly DeviceAddress[]>> {
  const interfaces = os().networkInterfaces();
  return Object.fromEntries(
    names.map((name) => [
      name,
      (interfaces[name] ?? []).flatMap(({ address, cidr }) => {
        const prefixLength = Number(cidr?.split("/")[1]);
        return Number.isInteger(prefixLength) ? [{ address, prefixLength }] : [];
      }),
    ]),
  );
}
