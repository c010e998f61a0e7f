/** What `create` and `run` read from their options and the bundle. */
import type { CreateContainerRequest } from "../../../runtime/create-container.ts";
import { openBundle } from "../../../runtime/open-bundle.ts";
import type { Values } from "../../command.ts";
import type { Around } from "../around.ts";
import { checkConsole } from "./console-rules.ts";
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
  const bundle = openBundle(values.bundle, values.config ?? "config.json", log.warn);
  const consoleSocket = values["console-socket"] || undefined;
  checkConsole(bundle.config.process?.terminal === true, consoleSocket, place);
  return {
    root,
    id: values.id,
    bundle,
    facts,
    cgroups,
    consoleSocket,
    pidFile: values["pid-file"] || undefined,
    preservedFds: count("preserve-fds", values["preserve-fds"]),
    noPivot: values["no-pivot"] === true,
    noNewKeyring: values["no-new-keyring"] === true,
    warn: log.warn,
  };
}
