/**
 * Which kernel parameters a box may set: those of its own namespaces (ipc_namespaces(7), network_namespaces(7)), as docker
 * and runc allow. Any other is the host's: run by root, the box would change it for everybody.
 */
import { DevboxError } from "../core/errors.ts";
import type { RunOptions } from "./options.ts";

/** System V IPC, per IPC namespace. */
const ipcParameters: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** @throws BAD_CONFIG naming the first parameter that is not the box's own. */
export function refuseHostSysctls({ sysctl, network }: Pick<RunOptions, "sysctl" | "network">): void {
  for (const name of Object.keys(sysctl)) {
    const step = `set the sysctl ${name}`;
    // sysctl(8) takes both separators; an empty part or `..` would lead out of the branch that is checked here.
    const parts = name.split(/[./]/);
    if (!parts.every((part) => /^[\w:-]+$/.test(part))) {
      throw new DevboxError("BAD_CONFIG", { step, because: "this is no name of a kernel parameter" });
    }
    if (parts[0] === "net" && network === "host") {
      throw new DevboxError("BAD_CONFIG", {
        step,
        because: "with --network host the parameters of the network are the host's",
        hint: "use another --network, or set it on the host with sysctl",
      });
    }
    if (parts[0] === "net" || (parts[0] === "fs" && parts[1] === "mqueue") || ipcParameters.has(parts.join(".")))
      continue;
    throw new DevboxError("BAD_CONFIG", {
      step,
      because: "this parameter is the host's, no namespace of the box has its own",
      hint: "a box has its own net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*",
    });
  }
}
