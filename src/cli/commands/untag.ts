/** devbox untag: take names away; the image stays. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "untag", description: "Take names away from an image, which stays" },
  args: {
    image: { type: "positional", completes: "images", description: "Image reference, id, or the beginning of one" },
    name: {
      type: "positional",
      required: false,
      variadic: true,
      completes: "images",
      description: "Names of it; default: all",
    },
    ...everyCommand,
  },
  examples: [
    ["devbox untag app:1.0", "all names of that image"],
    ["devbox untag app:1.0 app:old", "this one alone"],
  ],
  notes: ["An image without a name is removed by: devbox prune.", "To remove one together with its name: devbox rmi."],
  async run(values) {
    using context = openContext(values);
    const { readImageName } = await import("../../image/names/image-name.ts");
    const { untagImage } = await import("../../image/names/tag.ts");
    const { openStore } = await import("../../store/open.ts");
    await untagImage(
      context,
      openStore(context.env),
      values.image,
      values.name.map((text) => readImageName(text, context.env)),
    );
    return 0;
  },
});
