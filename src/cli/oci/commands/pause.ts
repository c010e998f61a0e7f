/** devbox oci pause. */
import { pauseContainer } from "../../../runtime/pause.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci pause", description: "Suspend all processes of a container" },
    args: { ...container, ...help },
    examples: [],
    async run({ id }) {
      await pauseContainer(root, id);
      return 0;
    },
  });
