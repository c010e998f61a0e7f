/** devbox oci restore: refused by name. */
import { DevboxError } from "../../../core/errors.ts";
import { defineCommand } from "../../command.ts";
import { help } from "./shared.ts";

export default () =>
  defineCommand({
    meta: { name: "oci restore", description: "Not supported" },
    args: { arguments: { type: "positional", required: false, variadic: true, description: "ignored" }, ...help },
    cutAtFirstPositional: true,
    examples: [],
    run: () =>
      Promise.reject(
        new DevboxError("USAGE", { step: "restore is not supported", hint: "runc and crun do it with criu" }),
      ),
  });
