/** devbox oci list. */
import { listContainers } from "../../../runtime/list.ts";
import { defineCommand } from "../../command.ts";
import { writeOut } from "../../ui/output.ts";
import type { Around } from "../around.ts";
import { help } from "./shared.ts";
import { table } from "./table.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci list", description: "List the containers" },
    args: {
      format: {
        type: "enum",
        alias: "f",
        options: ["table", "json"],
        default: "table",
        description: "How to print them",
      },
      quiet: { type: "boolean", alias: "q", description: "Print ids only" },
      ...help,
    },
    examples: [],
    async run({ format, quiet }) {
      const states = listContainers(root);
      if (quiet === true) writeOut(states.map(({ id }) => `${id}\n`).join(""));
      else if (format === "json") writeOut(`${JSON.stringify(states)}\n`);
      else {
        const rows = states.map(({ id, pid, status, bundle, created, owner }) => [
          id,
          `${pid}`,
          status,
          bundle,
          created,
          owner,
        ]);
        writeOut(table([["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], ...rows]));
      }
      return 0;
    },
  });
