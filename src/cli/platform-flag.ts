/** `--platform`, of the commands that have it: what it means there is for each to describe. */
import type { Platform } from "../oci/descriptor.ts";
import type { StringDef } from "./command.ts";

export const platformOption = {
  type: "string",
  valueHint: "OS/ARCH[/VARIANT]",
  completes: ["linux/amd64", "linux/arm64"],
} as const satisfies StringDef;

/** @throws DevboxError BAD_PLATFORM */
export async function readPlatform(text: string | undefined): Promise<Platform | undefined> {
  return text === undefined ? undefined : (await import("../oci/platform.ts")).parsePlatform(text);
}
