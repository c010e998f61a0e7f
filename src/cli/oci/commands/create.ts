/** devbox oci create. */
import { createContainer } from "../../../runtime/create-container.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { creationRequest } from "./creation.ts";
import { container, creation, help } from "./shared.ts";

export default (around: Around) =>
  defineCommand({
    meta: { name: "oci create", description: "Create the container of a bundle; `start` lets its command run" },
    args: { ...container, ...creation, ...help },
    examples: [],
    async run(values) {
      await createContainer({ ...creationRequest(around, values, "apart"), supervision: "orphaned" });
      return 0;
    },
  });
