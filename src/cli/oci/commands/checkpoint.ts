/** devbox oci checkpoint: refused by name. */
import { DevboxError } from "../../../core/errors.ts";
import { defineCommand } from "../../command.ts";
import { help } from "./shared.ts";

export default () =>
  defineCommand({
    meta: { name: "oci checkpoint", description: "Not supported" },
    args: { arguments: { type: "positional", required: false, variadic: true, description: "ignored" }, ...help },
    cutAtFirstPositional: true,
    examples: [],
    run: () =>
      Promise.reject(
        new DevboxError("USAGE", { step: "checkpoint is not supported", hint: "runc and crun do it with criu" }),
      ),
  });
