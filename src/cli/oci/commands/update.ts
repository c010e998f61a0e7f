/** devbox oci update. */
import { updateContainer } from "../../../runtime/update.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";
import { readResourceOptions, resourceOptions } from "./update-options.ts";

export default ({ root, facts, log }: Around) =>
  defineCommand({
    meta: { name: "oci update", description: "Change the limits of a container" },
    args: { ...container, ...resourceOptions, ...help },
    examples: [["devbox oci update --memory 512m --pids-limit 100 ID", "what is not named stays as it is"]],
    async run(values) {
      const resources = await readResourceOptions(values);
      updateContainer({ root, id: values.id, resources, facts, warn: log.warn });
      return 0;
    },
  });
