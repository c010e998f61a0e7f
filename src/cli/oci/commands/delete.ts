/** devbox oci delete. */
import { deleteContainer } from "../../../runtime/delete.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root, log }: Around) =>
  defineCommand({
    meta: { name: "oci delete", description: "Remove what is left of a container" },
    args: {
      ...container,
      force: { type: "boolean", alias: "f", description: "End it first; no error where there is none" },
      ...help,
    },
    examples: [],
    async run({ id, force }) {
      await deleteContainer({ root, id, force: force === true, warn: log.warn });
      return 0;
    },
  });
