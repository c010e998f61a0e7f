/** devbox oci run: create, start, wait, delete; with --detach only the first two. */
import { forwardSignals } from "../../../box/signals.ts";
import { joinTerminal, withTerminalSize } from "../../../box/terminal.ts";
import { type CreateContainerRequest, createContainer } from "../../../runtime/create-container.ts";
import { deleteContainer } from "../../../runtime/delete.ts";
import type { OpenedBundle } from "../../../runtime/open-bundle.ts";
import { sendSignal } from "../../../runtime/signal.ts";
import { startContainer } from "../../../runtime/start.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { creationRequest } from "./creation.ts";
import { container, creation, help } from "./shared.ts";

export default (around: Around) =>
  defineCommand({
    meta: { name: "oci run", description: "Create the container of a bundle and run its command" },
    args: {
      ...container,
      ...creation,
      detach: { type: "boolean", alias: "d", description: "Do not wait for its end" },
      keep: { type: "boolean", description: "Do not delete it after its end" },
      ...help,
    },
    examples: [],
    async run(values) {
      if (values.detach === true) {
        await runDetached(around, creationRequest(around, values, "apart"));
        return 0;
      }
      return await runToEnd(around, creationRequest(around, values, "foreground"), values.keep === true);
    },
  });

type Creation = Omit<CreateContainerRequest, "supervision">;

async function runDetached({ root, log: { warn } }: Around, creation: Creation): Promise<void> {
  await createContainer({ ...creation, supervision: "orphaned" });
  const { id } = creation;
  try {
    await startContainer({ root, id, warn });
  } catch (error) {
    await deleteContainer({ root, id, force: true, warn });
    throw error;
  }
}

async function runToEnd({ root, log: { warn } }: Around, creation: Creation, keep: boolean): Promise<number> {
  const { id } = creation;
  using signals = forwardSignals();
  const { pid, terminal, launched } = await createContainer({
    ...creation,
    bundle: withSize(creation.bundle),
    supervision: "tied",
  });
  signals.to((signal) => sendSignal(pid, signal));
  let isStarted = false;
  try {
    using joined = terminal === undefined ? undefined : joinTerminal(terminal, true);
    await startContainer({ root, id, warn });
    isStarted = true;
    const [status] = await Promise.all([launched.wait(), joined?.drained]);
    return status;
  } finally {
    if (!keep || !isStarted) await deleteContainer({ root, id, force: true, warn });
  }
}

/** A terminal has the size of the user's, unless config.json says otherwise. */
function withSize(bundle: OpenedBundle): OpenedBundle {
  const { process } = bundle.config;
  if (process?.terminal !== true || process.consoleSize !== undefined) return bundle;
  return { ...bundle, config: { ...bundle.config, process: withTerminalSize(process) } };
}
