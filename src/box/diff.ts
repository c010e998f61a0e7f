/** `devbox diff`: what a box has changed in the files of its image. */
import { existsSync } from "node:fs";
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { findBox } from "../store/boxes.ts";
import { findBoxFiles, namespaceCopier, outputOf } from "./changed-files.ts";
import { openSettled } from "./settled.ts";
import { whileThere } from "./there.ts";

export interface BoxChange {
  /** Added, changed, deleted: docker's letters. */
  readonly kind: "A" | "C" | "D";
  /** Absolute in the box; bytes, which need not be UTF-8. */
  readonly path: Uint8Array;
}

/**
 * In the order of their paths' bytes, as docker prints them. A box that runs may change on.
 * @throws DevboxError BOX_NOT_FOUND, BOX_STATE, COPY_FAILED
 */
export async function boxChanges(context: Context, name: string): Promise<readonly BoxChange[]> {
  const { store, facts } = openSettled(context);
  const box = findBox(store, name);
  const files = findBoxFiles(store, box, "compare");
  if (!existsSync(files.upper)) return [];
  const output = outputOf(namespaceCopier(facts), { changes: { as: "list", ...files } }, context.signal, () => {});
  const chunks = await whileThere(box, "compare", Array.fromAsync(output));
  return parseChanges(Buffer.concat(chunks)).sort((a, b) => Buffer.compare(a.path, b.path));
}

/** `K /path`, each with a NUL behind it. */
function parseChanges(bytes: Buffer): BoxChange[] {
  const changes: BoxChange[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    const kind = bytes.toString("latin1", at, at + 1);
    if (end === -1 || (kind !== "A" && kind !== "C" && kind !== "D")) {
      throw new DevboxError("INTERNAL", { step: "read the changes of a box", because: "a worker's line is malformed" });
    }
    changes.push({ kind, path: bytes.subarray(at + 2, end) });
    at = end + 1;
  }
  return changes;
}
