/** devbox inspect: everything about boxes, images and volumes. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import type { Store } from "../../store/types.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { renderValue } from "../format/list.ts";
import { toJson, toValue, type Value } from "../format/value.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "inspect", description: "Show all about boxes, images and volumes, as JSON" },
  args: {
    name: { type: "positional", variadic: true, description: "Names, or beginnings of ids" },
    format: { type: "string", alias: "f", valueHint: "FORMAT", description: "json, or TEMPLATE" },
    type: {
      type: "enum",
      options: ["container", "box", "image", "volume"],
      valueHint: "TYPE",
      description: "Look for these alone",
    },
    size: { type: "boolean", alias: "s", description: "Of boxes, also how much they have written" },
    ...everyCommand,
  },
  examples: [
    ["devbox inspect -f '{{.State.Status}}' web", "one thing"],
    ["devbox inspect -f '{{json .Mounts}}' web", "a part, as JSON"],
  ],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const { openStore } = await import("../../store/open.ts");
    const store = openStore(context.env);
    const asked = { size: values.size ?? false, env: context.env };
    const found: Value[] = [];
    for (const name of values.name) found.push(await lookUp(store, name, values.type, asked));
    const { format } = values;
    if (format === undefined) writeOut(`${toJson(found, 4)}\n`);
    else writeOut(found.map((value) => renderValue(format, value)).join(""));
    return 0;
  },
});

interface Asked {
  readonly size: boolean;
  readonly env: Context["env"];
}

type Lookup = (store: Store, name: string, asked: Asked) => Promise<unknown>;

const lookups: Readonly<Record<"box" | "image" | "volume", Lookup>> = {
  box: async (store, name, { size }) => {
    const { inspectBox } = await import("../../box/inspect.ts");
    const { boxState } = await import("../../store/box-state.ts");
    const { findBox } = await import("../../store/boxes.ts");
    return inspectBox(store, boxState(store, findBox(store, name).record), size);
  },
  image: async (store, name, { env }) => {
    const { inspectImage } = await import("../../image/shown/inspect.ts");
    return inspectImage(store, name, env);
  },
  volume: async (store, name) => {
    const { describeVolume } = await import("../../store/volume-description.ts");
    return describeVolume(store, name);
  },
};

async function lookUp(store: Store, name: string, type: string | undefined, asked: Asked): Promise<Value> {
  if (type === "image" || type === "volume") return toValue(await lookups[type](store, name, asked));
  if (type !== undefined) return toValue(await lookups.box(store, name, asked));
  for (const lookup of Object.values(lookups)) {
    try {
      return toValue(await lookup(store, name, asked));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  throw new DevboxError("BOX_NOT_FOUND", {
    step: `find ${name}`,
    because: "there is no box, image or volume of this name or id",
    hint: "see: devbox ps -a, devbox images, devbox volume ls",
  });
}

/** What is no reference can still be a name of something else. */
function isNotFound(error: unknown): boolean {
  const codes = ["BOX_NOT_FOUND", "IMAGE_NOT_FOUND", "VOLUME_NOT_FOUND", "BAD_REFERENCE"];
  return error instanceof DevboxError && codes.includes(error.code);
}
