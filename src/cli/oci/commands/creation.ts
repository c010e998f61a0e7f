/** What `create` and `run` read from their options and the bundle. */
import type { CreateContainerRequest } from "../../../runtime/create-container.ts";
import { type OpenedBundle, openBundle } from "../../../runtime/open-bundle.ts";
import { countPassed } from "../../../runtime/passed.ts";
import { withUserNamespace } from "../../../runtime/user-namespace.ts";
import type { Values } from "../../command.ts";
import type { Around } from "../around.ts";
import { checkConsole, plainLines } from "./console-rules.ts";
import { type container, count, type creation } from "./shared.ts";

type CreationValues = Values<typeof creation & typeof container>;

/**
 * @param place "apart": its command outlives this process, and a terminal needs somebody who holds it
 * @throws DevboxError of what is wrong with them
 */
export function creationRequest(
  { root, facts, cgroups, log }: Around,
  values: CreationValues,
  place: "apart" | "foreground",
): Omit<CreateContainerRequest, "supervision"> {
  const listening = listenedFds(process.env, process.pid);
  const opened = openBundle(values.bundle, values.config ?? "config.json", log.warn);
  const { config } = opened;
  const own = { ...opened, config: { ...config, linux: withUserNamespace(config.linux, facts) } };
  const bundle = listening === 0 ? own : withListening(own, listening);
  const consoleSocket = values["console-socket"] || undefined;
  checkConsole(bundle.config.process?.terminal === true, consoleSocket, place);
  return {
    root,
    id: values.id,
    bundle,
    facts,
    cgroups,
    consoleSocket,
    plainLines: place === "foreground" && plainLines(),
    pidFile: values["pid-file"] || undefined,
    pidfdSocket: values["pidfd-socket"] || undefined,
    preservedFds: countPassed(listening) + count("preserve-fds", values["preserve-fds"]),
    noPivot: values["no-pivot"] === true,
    noNewKeyring: values["no-new-keyring"] === true,
    warn: log.warn,
  };
}

/**
 * Sockets that systemd has opened for us (sd_listen_fds(3)): they are the command's, before those of --preserve-fds. Engines
 * leave LISTEN_PID out, which they cannot know; one that is another's says that they are.
 */
export function listenedFds(env: Readonly<Record<string, string | undefined>>, pid: number): number {
  const [fds = "", listener = String(pid)] = [env["LISTEN_FDS"], env["LISTEN_PID"]];
  return listener === String(pid) && /^\d{1,4}$/.test(fds) ? Number(fds) : 0;
}

/** The command is told as we were; it is the first process of its container. */
function withListening(bundle: OpenedBundle, listening: number): OpenedBundle {
  const { config } = bundle;
  if (config.process === undefined) return bundle;
  const env = [...config.process.env, `LISTEN_FDS=${listening}`, "LISTEN_PID=1"];
  return { ...bundle, config: { ...config, process: { ...config.process, env } } };
}
