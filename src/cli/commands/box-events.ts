/** What launchers that stand by boxes become: its end, its next start, a check of its health (box/detached.ts); its thaw (box/still.ts). */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

const id = { id: { type: "positional", description: "Id of the box" }, ...everyCommand } as const;

export const ended = defineCommand({
  meta: { name: "__ended", description: "Write down how a box ended" },
  args: id,
  examples: [],
  async run(values) {
    using context = openContext({ quiet: true });
    const { endBox } = await import("../../box/ended.ts");
    await endBox(context, values.id);
    return 0;
  },
});

export const restart = defineCommand({
  meta: { name: "__restart", description: "Start a box again, as its restart policy says" },
  args: id,
  examples: [],
  async run(values) {
    using context = openContext({ quiet: true });
    const { restartBox } = await import("../../box/ended.ts");
    await restartBox(context, values.id);
    return 0;
  },
});

export const health = defineCommand({
  meta: { name: "__health", description: "Find out the health of a box" },
  args: id,
  examples: [],
  async run(values) {
    using context = openContext({ quiet: true });
    const { checkHealth } = await import("../../box/health.ts");
    await checkHealth(context, values.id);
    return 0;
  },
});

export const thaw = defineCommand({
  meta: { name: "__thaw", description: "Resume a box that a killed devbox has frozen" },
  args: id,
  examples: [],
  async run(values) {
    using context = openContext({ quiet: true });
    const { thawBox } = await import("../../box/still.ts");
    await thawBox(context, values.id);
    return 0;
  },
});
