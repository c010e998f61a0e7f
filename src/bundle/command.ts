/** What the box executes: Entrypoint, Cmd and what the user gave instead (docker's table "How CMD and ENTRYPOINT interact"). */
import { DevboxError } from "../core/errors.ts";
import type { ImageExecution } from "../oci/image.ts";
import type { RunOptions } from "./options.ts";

/**
 * The argument vector. `--entrypoint` replaces the image's Entrypoint and drops its Cmd; `--entrypoint ""` takes both
 * away; a command replaces Cmd.
 * @throws NO_COMMAND where nothing is left.
 */
export function boxCommand(
  image: Pick<ImageExecution, "Entrypoint" | "Cmd">,
  options: Pick<RunOptions, "entrypoint" | "command">,
): readonly string[] {
  const overridden = options.entrypoint !== undefined;
  const given = options.entrypoint ?? image.Entrypoint ?? [];
  const entrypoint = given.length === 1 && given[0] === "" ? [] : given;
  const command = options.command.length > 0 || overridden ? options.command : (image.Cmd ?? []);
  const args = [...entrypoint, ...command];
  if (args[0] !== undefined && args[0] !== "") return args;
  throw new DevboxError("NO_COMMAND", {
    step: "choose the command of the box",
    because: args.length === 0 ? "the image names none, and none was given" : "its name is empty",
  });
}
