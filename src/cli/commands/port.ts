/** devbox port: where the ports of a box are published. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "port", description: "Show where the ports of a box are published" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or the beginning of an id" },
    port: { type: "positional", required: false, description: "PORT[/tcp|udp]: of this one alone" },
    ...everyCommand,
  },
  examples: [["devbox port web 80", "for curl"]],
  async run(values) {
    using context = openContext(values);
    const { boxState } = await import("../../store/box-state.ts");
    const { findBox } = await import("../../store/boxes.ts");
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const ports = boxState(store, findBox(store, values.box).record).ports ?? [];
    const shown = ports.map((port) => ({
      inBox: `${port.containerPort}/${port.protocol}`,
      onHost: `${port.hostIp}:${port.hostPort}`,
    }));
    if (values.port === undefined) {
      writeOut(shown.map(({ inBox, onHost }) => `${inBox} -> ${onHost}\n`).join(""));
      return 0;
    }
    const wanted = values.port.includes("/") ? values.port : `${values.port}/tcp`;
    const found = shown.filter(({ inBox }) => inBox === wanted);
    if (found.length === 0) {
      throw new DevboxError("USAGE", {
        step: `find the port ${wanted} of ${values.box}`,
        because: ports.length === 0 ? "the box publishes no port, or does not run" : "it is not published",
        hint: `see: devbox port ${values.box}`,
      });
    }
    writeOut(found.map(({ onHost }) => `${onHost}\n`).join(""));
    return 0;
  },
});
