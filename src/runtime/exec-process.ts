/** `exec` of `devbox oci`: a further process in a container that is known by its id. */
import { closeSync } from "node:fs";
import type { Cgroup } from "../cgroup/types.ts";
import { DevboxError } from "../core/errors.ts";
import type { HostFacts } from "../host/facts.ts";
import type { ParsedConfig, RuntimeProcess } from "../oci/runtime.ts";
import { containerStatus, findContainer, noContainer, stateOf } from "./container.ts";
import { passwdOfProcess, withEnvironment } from "./environment.ts";
import { execInContainer } from "./exec.ts";
import { connectSocket, listenerOption, listenerPath } from "./passed.ts";
import { checkTransition } from "./status.ts";
import type { ExecutedProcess } from "./types.ts";

export interface ExecProcessRequest {
  readonly root: string;
  readonly id: string;
  readonly facts: HostFacts;
  /** What is to run, given what the container was made from. */
  readonly process: (config: ParsedConfig) => Promise<RuntimeProcess>;
  readonly ignorePaused: boolean;
  /** `[CONTROLLER:]PATH` of groups below the container's. */
  readonly subgroups: readonly string[];
  readonly consoleSocket: string | undefined;
  /** As in `ExecInput`. */
  readonly plainLines: boolean;
  readonly detach: boolean;
  readonly preservedFds: number;
}

/** @throws DevboxError CONTAINER_NOT_FOUND, CONTAINER_STATE, and those of `execInContainer` */
export async function execProcess(request: ExecProcessRequest): Promise<ExecutedProcess> {
  const { root, id, facts, consoleSocket, plainLines, detach, preservedFds } = request;
  const container = findContainer(root, id);
  const status = containerStatus(container);
  if (!(status === "paused" && request.ignorePaused)) checkTransition("exec", id, status);
  const { config, init, idMap, cgroup } = container.record;
  if (init === undefined) throw noContainer(id);
  const process = withEnvironment(await request.process(config), () => passwdOfProcess(init.pid));
  using opened = new DisposableStack();
  const connect = (path: string, option: string): number => {
    const socket = connectSocket(path, option);
    opened.defer(() => closeSync(socket));
    return socket;
  };
  const console = consoleSocket === undefined ? undefined : connect(consoleSocket, "--console-socket");
  const { seccomp } = config.linux;
  const path = listenerPath(seccomp);
  const socket = path === undefined ? undefined : connect(path, listenerOption);
  return await execInContainer({
    init,
    process,
    seccomp,
    ...(config.linux.personality === undefined ? {} : { personality: config.linux.personality }),
    facts,
    idMap,
    cgroup: cgroup === undefined ? undefined : subgroup(cgroup, request.subgroups),
    stdio: ["inherit", "inherit", "inherit"],
    console,
    plainLines,
    supervision: detach ? "orphaned" : "tied",
    preservedFds,
    ...(socket === undefined ? {} : { listener: { socket, state: stateOf(container.record, status) } }),
  });
}

/** The group of each tree, or one below it that was asked for; that must be there. */
function subgroup(cgroup: Cgroup, wanted: readonly string[]): Cgroup {
  if (wanted.length === 0) return cgroup;
  const places = wanted.map((text) => {
    const [, controllers, path = ""] = /^(?:([\w,=]+):)?(.*)$/s.exec(text) ?? [];
    if (path === "" || path.split("/").includes("..")) {
      const because = `bad sub cgroup path: ${JSON.stringify(text)} is none below the container's`;
      throw new DevboxError("USAGE", { step: "option --cgroup", because });
    }
    const names = controllers?.split(",");
    const unknown = names?.find((name) => !cgroup.directories.some((directory) => servedBy(cgroup, directory, [name])));
    if (unknown !== undefined) {
      throw new DevboxError("USAGE", {
        step: "option --cgroup",
        because: `unknown controller ${JSON.stringify(unknown)}`,
      });
    }
    return { controllers: names, path: path.replace(/^\/+/, "") };
  });
  const directories = cgroup.directories.map((directory) => {
    const place = places.find(
      ({ controllers }) => controllers === undefined || servedBy(cgroup, directory, controllers),
    );
    return place === undefined || place.path === "" ? directory : `${directory}/${place.path}`;
  });
  return { ...cgroup, directories };
}

function servedBy({ layout }: Cgroup, directory: string, controllers: readonly string[]): boolean {
  if (layout.version === 2) return false;
  return controllers.some((name) => directory.startsWith(`${layout.mounts[name]}/`));
}
