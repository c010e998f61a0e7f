/** `devbox rename`. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { changeBoxRecord } from "../store/box-record.ts";
import { findBox, giveName, takeName } from "../store/boxes.ts";
import { boxEvent, recordEvent } from "../store/events.ts";
import { openStore } from "../store/open.ts";

/** @throws DevboxError BOX_NOT_FOUND, BOX_NAME_TAKEN; USAGE for a name that is none */
export async function renameBox(context: Context, name: string, wanted: string): Promise<void> {
  const store = openStore(context.env);
  const { paths, record } = findBox(store, name);
  if (wanted === record.name) {
    throw new DevboxError("USAGE", { step: `rename the box ${name}`, because: "it has this name already" });
  }
  // The new one first: at no moment the box has none.
  giveName(store, paths.id, wanted);
  const old: string[] = [];
  const changed = await changeBoxRecord(context, paths, (now) => {
    old.push(now.name);
    return { ...now, name: wanted };
  });
  if (changed === undefined) {
    takeName(store, paths.id, wanted);
    throw new DevboxError("BOX_NOT_FOUND", { step: `rename the box ${name}`, because: "it was removed just now" });
  }
  for (const each of old) takeName(store, paths.id, each);
  recordEvent(store, boxEvent("rename", changed, { oldName: `/${record.name}` }));
}
