/** devbox create: a new box that does not run yet. */
import { ownAddress } from "../../host/own-address.ts";
import { defineCommand } from "../command.ts";
import { runFlags } from "../run-flags.ts";
import { toRunRequest } from "../run-options.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

const { detach: _detach, explain: _explain, ...createFlags } = runFlags;

export default defineCommand({
  meta: { name: "create", description: "Make a new box without starting it" },
  args: createFlags,
  cutAtFirstPositional: true,
  examples: [
    ["devbox create --name web -p 8080:80 nginx", "then: devbox start web"],
    ["devbox create -it --name sh alpine", "then: devbox start -ai sh"],
  ],
  async run(values) {
    // Nobody is there yet, as with devbox run --detach.
    const around = { env: process.env, cwd: process.cwd(), onTerminal: false, ownAddress };
    const { request, notices } = toRunRequest({ ...values, detach: true, explain: false }, around);
    using context = openContext(values);
    for (const notice of notices) context.log.warn(notice);
    const { createBoxFrom } = await import("../../box/run-detached.ts");
    writeOut(`${await createBoxFrom(context, { ...request, detach: false })}\n`);
    return 0;
  },
});
