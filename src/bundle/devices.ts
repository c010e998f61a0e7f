/**
 * `--device`: host nodes bound into the box, since mknod(2) of devices is refused in a user namespace. Not
 * `linux.devices`: other runtimes bind those from the path in the box, so a device could not be given another name.
 * The default devices (runtime-spec config-linux.md "Default Devices") are the runtime's to make.
 */
import { DevboxError } from "../core/errors.ts";
import type { RuntimeMount } from "../oci/runtime.ts";
import type { DeviceRequest } from "./options.ts";

/** @throws BAD_CONFIG where fewer rights are asked than the node gives: only a device cgroup, root's, could enforce it. */
export function deviceMount({ source, target, permissions }: DeviceRequest): RuntimeMount {
  if (!permissions.includes("r") || !permissions.includes("w")) {
    throw new DevboxError("BAD_CONFIG", {
      step: `give the device ${source} to the box`,
      because: `the right "${permissions}" alone cannot be enforced without root`,
      hint: `give it whole, ${source}:${target}, or set the rights on the node itself`,
    });
  }
  return { destination: target, type: "bind", source, options: ["rbind", "rprivate", "nosuid", "noexec"] };
}
