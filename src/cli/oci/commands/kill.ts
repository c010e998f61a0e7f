/** devbox oci kill. */
import { killContainer } from "../../../runtime/kill.ts";
import { signalNumber } from "../../../runtime/signal-names.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { container, help } from "./shared.ts";

export default ({ root }: Around) =>
  defineCommand({
    meta: { name: "oci kill", description: "Send a signal to a container" },
    args: {
      ...container,
      signal: {
        type: "positional",
        required: false,
        default: "TERM",
        description: "Its name or number; default: TERM; 0: only ask whether it could be sent",
      },
      all: { type: "boolean", alias: "a", description: "To all of its processes" },
      ...help,
    },
    examples: [],
    async run({ id, signal = "TERM", all }) {
      await killContainer({ root, id, signal: signal === "0" ? 0 : signalNumber(signal), all: all === true });
      return 0;
    },
  });
