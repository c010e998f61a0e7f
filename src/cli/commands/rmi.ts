/** devbox rmi: take images out of the store. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { forEachName } from "../each-box.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "rmi", description: "Remove images, or names of images" },
  args: {
    image: {
      type: "positional",
      variadic: true,
      completes: "images",
      description: "Image references, ids, or beginnings of ids",
    },
    force: {
      type: "boolean",
      alias: "f",
      description:
        "Also an image that boxes use (they keep its layers), or that has several names; one that is not here is no failure",
    },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox rmi debian:12", "with its last name, the image and its layers go"],
    ["devbox rmi 3f57d9401f8d", "by id"],
  ],
  async run(values) {
    using context = openContext(values);
    const { removeImage } = await import("../../image/garbage/remove.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const facts = readHostFacts(context.env);
    const force = values.force ?? false;
    await forEachName(values.image, async (image) => {
      const removed = await removeImage(context, store, facts, image, { force }).catch((error: unknown) => {
        // As docker has it, for scripts that clean up.
        if (force && error instanceof DevboxError && error.code === "IMAGE_NOT_FOUND") return undefined;
        throw error;
      });
      if (removed === undefined) return;
      const { untagged, deleted } = removed;
      const lines = [
        ...untagged.map((name) => `untagged: ${name}`),
        ...(deleted === undefined ? [] : [`deleted: ${deleted}`]),
      ];
      writeOut(values.json ? `${JSON.stringify(removed)}\n` : lines.map((line) => `${line}\n`).join(""));
    });
    return 0;
  },
});
