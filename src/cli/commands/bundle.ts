/** devbox bundle: an image and options as an OCI bundle. */
import { ownAddress } from "../../host/own-address.ts";
import { defineCommand } from "../command.ts";
import { runFlags } from "../run-flags.ts";
import { toRunRequest } from "../run-options.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

const { image, command, detach: _detach, explain: _explain, ...options } = runFlags;

export default defineCommand({
  meta: { name: "bundle", description: "Write what run would start as an OCI bundle, for any runtime" },
  args: {
    image,
    directory: { type: "positional", description: "Where it is written: empty, or not there yet" },
    command,
    ...options,
  },
  examples: [
    ["devbox bundle --network none alpine ./box -- sh -c 'echo hi'", "then: devbox oci run -b ./box ID"],
    ["devbox bundle -p 8080:80 nginx ./web", "its hooks start the network under runc and crun as well"],
  ],
  notes: ["config.json names the directory and this devbox by their absolute paths: neither may be moved."],
  async run(values) {
    const around = { env: process.env, cwd: process.cwd(), onTerminal: false, ownAddress };
    const { request, notices } = toRunRequest({ ...values, detach: false, explain: false }, around);
    using context = openContext(values);
    for (const notice of notices) context.log.warn(notice);
    const { makeBundle } = await import("../../box/bundle.ts");
    await makeBundle(context, request, values.directory);
    writeOut(`${values.directory}\n`);
    return 0;
  },
});
