/** `devbox run --detach` and `devbox create`: a new box that nobody waits for. */
import { boxNamespaces } from "../bundle/namespaces.ts";
import type { Context } from "../core/context.ts";
import { lockBoxRecord } from "../store/box-record.ts";
import { leaveBox } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { confirmImage } from "../store/unsynced.ts";
import { startDetached } from "./detached.ts";
import { discardBox } from "./discard.ts";
import { makeBox, type NewBox, openSurroundings, prepareBundle, type Surroundings, settingsOf } from "./prepare.ts";
import type { RunRequest } from "./request.ts";
import { findSource } from "./source.ts";

/**
 * Starts a command in a new box, in the background.
 * @returns the id of the box
 * @throws DevboxError of every stage, COMMAND_NOT_FOUND among them; the box is removed then.
 */
export async function runDetached(context: Context, request: RunRequest): Promise<string> {
  return await withNewBox(context, request, async (around, box) => {
    const { paths, record, lock } = box.created;
    const { options } = request;
    using _record = await lockBoxRecord(context, paths);
    await startDetached(context, around, {
      paths,
      record,
      lock,
      options,
      health: settingsOf(box.source, options, noRootfs).health,
      network: box.network,
      namespaces: boxNamespaces(options.network),
      idMap: box.idMap,
      input: "open",
      async prepare() {
        const sandbox = await prepareBundle(around, box, request);
        return { sandbox, settings: settingsOf(box.source, options, sandbox.rootfs) };
      },
    });
    // The monitor has it as well.
    lock[Symbol.dispose]();
  });
}

/**
 * Makes a box that `start` starts.
 * @returns its id
 * @throws DevboxError of every stage; the box is removed then.
 */
export async function createBoxFrom(context: Context, request: RunRequest): Promise<string> {
  return await withNewBox(context, request, async (around, box) => {
    await prepareBundle(around, box, request);
    leaveBox(box.created);
  });
}

/** Of its health check nothing is known but what image and options say. */
const noRootfs = { kind: "directory", path: "/" } as const;

async function withNewBox(
  context: Context,
  request: RunRequest,
  use: (around: Surroundings, box: NewBox) => Promise<void>,
): Promise<string> {
  const around = openSurroundings(context);
  const source = await findSource(context, around, request);
  const box = await makeBox(context, around, source, request);
  const { paths, record } = box.created;
  try {
    using _network = box.network;
    recordEvent(around.store, boxEvent("create", record));
    await use(around, box);
  } catch (error) {
    await discardBox(around, box, error);
    throw error;
  }
  if (source.kind === "image") confirmImage(context, around.store, source.image);
  return paths.id;
}
