/** devbox volume create: a volume before a box mounts it. */
import { DevboxError } from "../../../core/errors.ts";
import { defineCommand, everyCommand } from "../../command.ts";
import { parsePairs } from "../../run-values.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "volume create", description: "Make a volume; one that is there stays as it is" },
  args: {
    name: { type: "positional", required: false, description: "Left out: one is made up" },
    label: { type: "string", multiple: true, valueHint: "NAME[=VALUE]", description: "A label of the volume" },
    driver: {
      type: "string",
      alias: "d",
      default: "local",
      valueHint: "NAME",
      description: "local: there is no other",
    },
    opt: { type: "string", multiple: true, alias: "o", valueHint: "NAME=VALUE", description: "None is supported" },
    ...everyCommand,
  },
  examples: [["devbox volume create --label project=web data", "for -v data:/var/lib/data"]],
  async run(values) {
    if (values.driver !== "local" || values.opt.length > 0) {
      throw new DevboxError("USAGE", {
        step:
          values.driver === "local" ? `make a volume with --opt ${values.opt[0]}` : `use the driver ${values.driver}`,
        because: "volumes are directories of the store, and nothing else",
        hint: "a directory of your own is mounted with -v ./DIR:/path",
      });
    }
    using context = openContext(values);
    const { createVolume } = await import("../../../box/volumes.ts");
    const { openStore } = await import("../../../store/open.ts");
    const labels = parsePairs("--label", values.label, "project=web", "");
    const name = values.name === "" ? undefined : values.name;
    writeOut(`${createVolume(context, openStore(context.env), { name, labels }).name}\n`);
    return 0;
  },
});
