/** devbox oci resume. */
import { resumeContainer } from "../../../runtime/pause.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci resume", description: "Let the processes of a paused container go on" },
    args: { ...container, ...help },
    examples: [],
    async run({ id }) {
      await resumeContainer(root, id);
      return 0;
    },
  });
