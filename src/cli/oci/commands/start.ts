/** devbox oci start. */
import { startContainer } from "../../../runtime/start.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root, log }: Around) =>
  defineCommand({
    meta: { name: "oci start", description: "Let the command of a created container run" },
    args: { ...container, ...help },
    examples: [],
    async run({ id }) {
      await startContainer({ root, id, warn: log.warn });
      return 0;
    },
  });
