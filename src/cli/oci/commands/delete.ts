/** devbox oci delete. */

import { DevboxError } from "../../../core/errors.ts";
import { deleteContainer } from "../../../runtime/delete.ts";
import { listContainerIds } from "../../../runtime/state-directory.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root, log }: Around) =>
  defineCommand({
    meta: { name: "oci delete", description: "Remove what is left of a container" },
    args: {
      ...container,
      force: { type: "boolean", alias: "f", description: "End it first; no error where there is none" },
      regex: { type: "boolean", alias: "r", description: "The id is a regular expression: all that it fits" },
      ...help,
    },
    examples: [],
    async run({ id, force, regex }) {
      const ids = regex === true ? idsThatFit(id, listContainerIds(root)) : [id];
      for (const each of ids) await deleteContainer({ root, id: each, force: force === true, warn: log.warn });
      return 0;
    },
  });

function idsThatFit(pattern: string, ids: readonly string[]): readonly string[] {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch (cause) {
    throw new DevboxError("USAGE", { step: `option --regex: ${JSON.stringify(pattern)}`, cause });
  }
  return ids.filter((id) => expression.test(id));
}
