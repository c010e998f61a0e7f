/**
 * Which kernel parameters a box may set: those of its own namespaces (ipc_namespaces(7), network_namespaces(7)), as docker
 * and runc allow. Any other is the host's: run by root, the box would change it for everybody.
 */
import { DevboxError } from "../core/errors.ts";
import { sysctlNamespace, sysctlParts } from "../oci/sysctl.ts";
import type { RunOptions } from "./options.ts";

/** @throws BAD_CONFIG naming the first parameter that is not the box's own. */
export function refuseHostSysctls({ sysctl, network }: Pick<RunOptions, "sysctl" | "network">): void {
  for (const name of Object.keys(sysctl)) {
    const step = `set the sysctl ${name}`;
    const parts = sysctlParts(name);
    if (parts === undefined) {
      throw new DevboxError("BAD_CONFIG", { step, because: "this is no name of a kernel parameter" });
    }
    const namespace = sysctlNamespace(parts);
    if (namespace === "network" && network === "host") {
      throw new DevboxError("BAD_CONFIG", {
        step,
        because: "with --network host the parameters of the network are the host's",
        hint: "use another --network, or set it on the host with sysctl",
      });
    }
    // Those of the uts namespace are its names: docker has options for them.
    if (namespace === "network" || namespace === "ipc") continue;
    throw new DevboxError("BAD_CONFIG", {
      step,
      because: "this parameter is the host's, no namespace of the box has its own",
      hint: "a box has its own net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*",
    });
  }
}
