/** devbox version: this program, and what it runs on. */
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { writeOut } from "../ui/output.ts";
import { version } from "../version.ts";

export default defineCommand({
  meta: { name: "version", description: "Print the version of devbox and of what it is built on" },
  args: { ...jsonOption, ...everyCommand },
  examples: [["devbox version --json", "for scripts; devbox --version prints one line"]],
  async run({ json }) {
    const { release } = await import("node:os");
    const facts = { devbox: version, bun: Bun.version, architecture: process.arch, kernel: release() };
    const lines = Object.entries(facts).map(([name, value]) => `${`${name}:`.padEnd(14)}${value}\n`);
    writeOut(json ? `${JSON.stringify(facts)}\n` : lines.join(""));
    return 0;
  },
});
