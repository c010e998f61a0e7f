/** Flags of the commands that write layers; image/make/packing.ts reads their values. */
import type { ArgumentDefs } from "./command.ts";

export const packingOptions = {
  compression: { type: "enum", options: ["gzip", "zstd", "none"], description: "How layers are packed" },
  level: {
    type: "string",
    valueHint: "N",
    description: "How tightly: gzip 1 to 9, default 6; zstd 1 to 19, default 3",
  },
} as const satisfies ArgumentDefs;
