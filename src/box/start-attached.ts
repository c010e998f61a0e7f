/** `devbox start --attach`: a box of before, as if it were run in the foreground; it goes on without this devbox. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { findBox } from "../store/boxes.ts";
import { type AttachEnd, type AttachRequest, attach } from "./attach.ts";
import { logDirectory, openLog } from "./log-files.ts";
import { readSettings } from "./settings.ts";
import { openSettled } from "./settled.ts";
import { startFound } from "./start.ts";

/** @returns the exit code of the box. @throws DevboxError BOX_NOT_FOUND, BOX_STATE where it runs already, and of the start */
export async function startAttached(context: Context, name: string, request: AttachRequest): Promise<AttachEnd> {
  const around = openSettled(context);
  const { store } = around;
  const { paths, record } = findBox(store, name);
  const options = readSettings(paths)?.options;
  if (options?.log.driver === "none") {
    const because = "it keeps no log to read its output from (--log-driver none)";
    throw new DevboxError("BOX_STATE", { step: `attach to the box ${record.name}`, because });
  }
  // What it printed the last time is not shown again.
  using log = openLog(logDirectory(paths), "end");
  const isOnce = request.stdin && options?.interactive === true && !options.tty;
  const started = await startFound(context, around, paths, isOnce ? "once" : "open");
  if (started === undefined) {
    const hint = `devbox attach ${record.name}`;
    throw new DevboxError("BOX_STATE", { step: `start the box ${record.name}`, because: "it runs already", hint });
  }
  return await attach(context, { store, paths, record: started.record, log, writer: started.writer }, request);
}
