/** devbox oci features: what the runtime implements (runtime-spec features.md). */
import { features } from "../../../oci/features.ts";
import { specVersion } from "../../../runtime/spec-version.ts";
import { knownMountOptions } from "../../../sandbox/mount-options.ts";
import { defineCommand } from "../../command.ts";
import { writeOut } from "../../ui/output.ts";
import { version } from "../../version.ts";
import { help, pretty } from "./shared.ts";

export default () =>
  defineCommand({
    meta: { name: "oci features", description: "Print what this runtime implements, as JSON" },
    args: { ...help },
    examples: [],
    async run() {
      const cgroup = { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true };
      const annotations = { "org.devbox.version": version };
      writeOut(pretty(features({ specVersion, mountOptions: knownMountOptions(), cgroup, annotations })));
      return 0;
    },
  });
