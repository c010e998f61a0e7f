/** devbox oci state: the spec's State, with runc's further members. */
import { findContainer } from "../../../runtime/container.ts";
import { describeContainer } from "../../../runtime/list.ts";
import { defineCommand } from "../../command.ts";
import { writeOut } from "../../ui/output.ts";
import type { Around } from "../around.ts";
import { container, help, pretty } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci state", description: "Print the state of a container as JSON" },
    args: { ...container, ...help },
    examples: [],
    async run({ id }) {
      writeOut(pretty(describeContainer(findContainer(root, id))));
      return 0;
    },
  });
