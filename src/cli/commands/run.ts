/** devbox run: a command in a new box, from an image reference to an exit status. */
// All at once, unlike other commands: every import() on the way of a warm run costs a third of a millisecond.
import { run } from "../../box/run.ts";
import { ownAddress } from "../../host/own-address.ts";
import { defineCommand } from "../command.ts";
import { runFlags } from "../run-flags.ts";
import { toRunRequest } from "../run-options.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { isTerminal } from "../ui/terminal.ts";

export default defineCommand({
  meta: { name: "run", description: "Run a command in a new box" },
  args: runFlags,
  cutAtFirstPositional: true,
  runsCommand: true,
  examples: [
    ["devbox run alpine -- echo hi", "one command; the box is gone afterwards"],
    ["devbox run debian:12", "a shell, when called from a terminal"],
    ["devbox run -v .:/src -w /src node:22 -- npm test", "on the files of this directory"],
    ["devbox run -d --name web -p 8080:80 nginx", "in the background, reachable at http://127.0.0.1:8080"],
    ["devbox run --network none --read-only alpine -- sh -c 'id; ls /'", "shut in"],
    ["tar c . | devbox run alpine -- tar t", "stdin is passed on"],
  ],
  notes: [
    "Options end at IMAGE; everything behind it belongs to the box.\n" +
      "The exit status is the command's (128 + n when signal n ended it); 125: devbox failed,\n" +
      "126: the command cannot be executed, 127: it was not found.",
    "Signals to devbox are passed on to the command as they are. As process 1 of its box it does not\n" +
      "end by a signal that it has no handler for, except SIGKILL; with --init it does.\n" +
      "When the terminal is closed (SIGHUP), it has --stop-timeout seconds to end, then comes SIGKILL.",
  ],
  async run(values) {
    const onTerminal = isTerminal(0) && isTerminal(1);
    const around = { env: process.env, cwd: process.cwd(), onTerminal, ownAddress };
    const { request, notices } = toRunRequest(values, around);
    using context = openContext(values);
    for (const notice of notices) context.log.warn(notice);
    if (request.detach && !request.explain) {
      const { runDetached } = await import("../../box/run-detached.ts");
      writeOut(`${await runDetached(context, request)}\n`);
      return 0;
    }
    if (!request.explain) return await run(context, request);
    const { explainRun } = await import("../../box/explain.ts");
    writeOut(`${await explainRun(context, request)}\n`);
    return 0;
  },
});
