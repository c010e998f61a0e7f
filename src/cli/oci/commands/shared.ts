/** Options and words that several commands of `devbox oci` share. */
import { DevboxError } from "../../../core/errors.ts";
import type { ArgumentDefs } from "../../command.ts";

export const help = {
  help: { type: "boolean", alias: "h", description: "Print this help" },
} as const satisfies ArgumentDefs;

export const container = {
  id: { type: "positional", description: "Id of the container" },
} as const satisfies ArgumentDefs;

/** Of `create` and `run`. */
export const creation = {
  bundle: { type: "string", alias: "b", default: ".", valueHint: "DIR", description: "Directory of config.json" },
  config: { type: "string", alias: "f", valueHint: "FILE", description: "Another name for config.json" },
  "console-socket": { type: "string", valueHint: "SOCKET", description: "Unix socket that gets the terminal" },
  "pid-file": { type: "string", valueHint: "FILE", description: "Write the process id of the container there" },
  "pidfd-socket": { type: "string", valueHint: "SOCKET", description: "Unix socket that gets a pidfd of it" },
  "preserve-fds": {
    type: "string",
    default: "0",
    valueHint: "N",
    description: "Pass N descriptors from 3 on to the command",
  },
  "no-pivot": { type: "boolean", description: "Enter the root without pivot_root, which a ramdisk refuses" },
  "no-new-keyring": { type: "boolean", description: "Keep the caller's session keyring" },
  "no-mount-fallback": { type: "boolean", hidden: true, description: "Accepted: options of mounts are never left out" },
  "no-subreaper": { type: "boolean", hidden: true, description: "Accepted: there is never one" },
} as const satisfies ArgumentDefs;

/** @throws DevboxError USAGE */
export function count(option: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new DevboxError("USAGE", { step: `option --${option} is a number, not ${JSON.stringify(text)}` });
}

/** JSON as people read it, with a line's end. */
export function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
