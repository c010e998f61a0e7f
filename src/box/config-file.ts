/** `boxes/<id>/config.json` as devbox has written it, for those who look at a box. */
import { readFileSync } from "node:fs";
import { DevboxError } from "../core/errors.ts";
import type { RuntimeConfig } from "../oci/runtime.ts";
import type { BoxPaths } from "../store/types.ts";

/** @throws DevboxError STORE_DAMAGED naming the file */
export function readBoxConfig({ config, id }: BoxPaths): RuntimeConfig {
  try {
    // Written whole, in a directory that is closed to others.
    return JSON.parse(readFileSync(config, "utf8")) as RuntimeConfig;
  } catch (cause) {
    const hint = `remove the box: devbox rm --force ${id.slice(0, 12)}`;
    throw new DevboxError("STORE_DAMAGED", { step: `read ${config}`, cause, hint });
  }
}
