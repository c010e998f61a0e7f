/** devbox oci spec: a config.json to begin with. */
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { readHostCgroups } from "../../../cgroup/host.ts";
import { DevboxError } from "../../../core/errors.ts";
import { formatRuntimeConfig } from "../../../oci/runtime-json.ts";
import { specConfig } from "../../../oci/spec-config.ts";
import { defineCommand } from "../../command.ts";
import type { Around } from "../around.ts";
import { help, pretty } from "./shared.ts";

export default ({ facts }: Around) =>
  defineCommand({
    meta: { name: "oci spec", description: "Write a config.json to begin with" },
    args: {
      bundle: { type: "string", alias: "b", default: ".", valueHint: "DIR", description: "Where to" },
      rootless: { type: "boolean", description: "For a user without rights, with a user namespace" },
      ...help,
    },
    examples: [],
    async run({ bundle, rootless }) {
      const file = resolve(bundle, "config.json");
      const step = `write ${file}`;
      if (existsSync(file)) throw new DevboxError("USAGE", { step, because: "it exists: remove it first" });
      const cgroupNamespace = readHostCgroups()?.layout.version === 2;
      const { uid, gid } = facts;
      const config = specConfig({ cgroupNamespace, ...(rootless === true ? { rootless: { uid, gid } } : {}) });
      try {
        writeFileSync(file, pretty(JSON.parse(formatRuntimeConfig(config))), { flag: "wx", mode: 0o666 });
      } catch (cause) {
        throw new DevboxError("STATE_UNUSABLE", { step, cause, hint: "name another directory: --bundle DIR" });
      }
      return 0;
    },
  });
