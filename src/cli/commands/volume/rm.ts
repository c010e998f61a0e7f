/** devbox volume rm. */
import { defineCommand, everyCommand } from "../../command.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";

export default defineCommand({
  meta: { name: "volume rm", description: "Remove volumes and all that is in them" },
  args: {
    volume: { type: "positional", variadic: true, description: "Names" },
    force: { type: "boolean", alias: "f", description: "One that is not there is no error" },
    ...everyCommand,
  },
  examples: [["devbox volume rm data", "no box mounts it any more"]],
  async run(values) {
    using context = openContext(values);
    const { discardVolumes, volumeInUse } = await import("../../../box/volumes.ts");
    const { openStore } = await import("../../../store/open.ts");
    const { findVolume, readVolume } = await import("../../../store/volumes.ts");
    const store = openStore(context.env);
    for (const name of values.volume) {
      const isMissing = values.force === true && readVolume(store, name) === undefined;
      if (!isMissing) findVolume(store, name);
      await discardVolumes(context, store, (users) => {
        const boxes = users.get(name) ?? [];
        if (boxes.length > 0) throw volumeInUse(name, boxes);
        return isMissing ? [] : [name];
      });
      writeOut(`${name}\n`);
    }
    return 0;
  },
});
