/** devbox tag: further names for an image. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "tag", description: "Give an image further names" },
  args: {
    source: { type: "positional", completes: "images", description: "Image reference, id, or the beginning of one" },
    target: { type: "positional", variadic: true, description: "New names, such as registry:5000/project/image:1.0" },
    ...everyCommand,
  },
  examples: [
    ["devbox tag debian:12 127.0.0.1:5000/debian:12", "so that it can be pushed there"],
    ["devbox tag 3f57d9401f8d app:old app:1.0", "by id, two names"],
  ],
  notes: ["A name that another image has moves on to this one; the other stays, by its id."],
  async run(values) {
    using context = openContext(values);
    const { readImageName } = await import("../../image/names/image-name.ts");
    const { tagImage } = await import("../../image/names/tag.ts");
    const { openStore } = await import("../../store/open.ts");
    await tagImage(
      context,
      openStore(context.env),
      values.source,
      values.target.map((text) => readImageName(text, context.env)),
    );
    return 0;
  },
});
