/** devbox image exists, for scripts. */
import { defineCommand, everyCommand } from "../../command.ts";
import { openContext } from "../../ui/context.ts";

export default defineCommand({
  meta: { name: "image exists", description: "End with status 0 when an image is here, else with 1" },
  args: {
    image: { type: "positional", completes: "images", description: "Image reference, id, or the beginning of one" },
    ...everyCommand,
  },
  examples: [["devbox image exists app:1 || devbox load -i app.tar", "prints nothing"]],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { DevboxError } = await import("../../../core/errors.ts");
    const { findImage } = await import("../../../image/names/find.ts");
    const { readEntries } = await import("../../../store/index-file.ts");
    const { openStore } = await import("../../../store/open.ts");
    const store = openStore(context.env);
    try {
      findImage(store, readEntries(store), values.image, context.env);
      return 0;
    } catch (error) {
      if (error instanceof DevboxError && error.code === "IMAGE_NOT_FOUND") return 1;
      throw error;
    }
  },
});
