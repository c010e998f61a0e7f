/** devbox commit: a box as a new image. */
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand, jsonOption, progressOptions } from "../command.ts";
import { packingOptions } from "../packing-flags.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "commit", description: "Make an image of a box and what it has changed" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Its name, or the beginning of its id" },
    name: { type: "positional", required: false, description: "Name of the image; default: none" },
    author: { type: "string", alias: "a", valueHint: "WHO", description: "Who has made it" },
    message: { type: "string", alias: "m", valueHint: "TEXT", description: "Comment in the history of the image" },
    change: {
      type: "string",
      multiple: true,
      alias: "c",
      valueHint: "INSTRUCTION",
      description:
        "What a Dockerfile would say: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, USER, VOLUME, WORKDIR …",
    },
    pause: {
      type: "boolean",
      alias: "p",
      default: true,
      description: "Freeze a box that runs while its files are read",
      negativeDescription: "Let it run on",
    },
    annotation: {
      type: "string",
      multiple: true,
      valueHint: "KEY=VALUE",
      description: "Annotation of the manifest",
    },
    ...packingOptions,
    ...progressOptions,
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox commit web web:patched", "prints the id of the image"],
    ["devbox commit -m 'with curl' -c 'CMD [\"curl\",\"--version\"]' box tools", "with another command to run"],
  ],
  notes: [
    "On top of the layers of the box's image comes what the box has changed; not what is mounted in it.",
    "Boxes of the new image run as this one does: command, user, environment, labels.",
    "Equal changes make equal images when SOURCE_DATE_EPOCH says when they were made: later times in them\nbecome this one.",
  ],
  async run(values) {
    using context = openContext(values);
    const { commitBox } = await import("../../box/commit.ts");
    const { readImageName } = await import("../../image/names/image-name.ts");
    const { parsePacking } = await import("../../image/make/packing.ts");
    const { formatReference } = await import("../../oci/reference.ts");
    const name = values.name === undefined ? undefined : readImageName(values.name, context.env);
    const made = await commitBox(context, values.box, {
      name,
      author: values.author,
      message: values.message,
      changes: values.change,
      pause: values.pause,
      packing: parsePacking(values.compression, values.level) ?? { compression: "gzip" },
      annotations: Object.fromEntries(values.annotation.map(readAnnotation)),
    });
    for (const note of made.notes) context.log.warn(note);
    const result = {
      id: made.id,
      digest: made.manifestDescriptor.digest,
      image: name === undefined ? undefined : formatReference(name),
      layer: made.layer,
    };
    writeOut(values.json ? `${JSON.stringify(result)}\n` : `${made.id}\n`);
    return 0;
  },
});

function readAnnotation(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new DevboxError("USAGE", {
    step: `read --annotation ${JSON.stringify(text)}`,
    because: "it is not of the form KEY=VALUE",
    hint: "for example --annotation org.opencontainers.image.title=tools",
  });
}
