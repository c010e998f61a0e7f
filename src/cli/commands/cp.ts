/** devbox cp: files between a box and this machine. */
import type { CopyEnd } from "../../box/copy.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";

export default defineCommand({
  meta: { name: "cp", description: "Copy files between a box and this machine" },
  args: {
    source: {
      type: "positional",
      completes: "files",
      description: "BOX:PATH, a path of this machine, or - for a tar stream",
    },
    destination: { type: "positional", description: "The other one of these" },
    archive: { type: "boolean", alias: "a", description: "Keep the owners of the files, by their numbers" },
    "follow-link": { type: "boolean", alias: "L", description: "Copy what SOURCE links to, not the link" },
    quiet: { type: "boolean", alias: "q", group: "Output", description: "Print errors only" },
    ...everyCommand,
  },
  examples: [
    ["devbox cp web:/etc/nginx ./nginx", "out of a box, running or not"],
    ["devbox cp index.html web:/srv/", "into a directory of it"],
    ["devbox cp web:/srv - | tar t", "as a tar stream"],
  ],
  notes: [
    "What is copied into a directory that is there keeps its name; SOURCE/. copies its content alone.\n" +
      "Else DESTINATION is the new name, and the directory that it lies in must be there.",
    "Files in the box belong to its root then, those on this machine to you, unless --archive is given.",
  ],
  async run(values) {
    using context = openContext(values);
    const { copyFiles } = await import("../../box/copy.ts");
    const notes = await copyFiles(context, parseEnd(values.source), parseEnd(values.destination), {
      archive: values.archive ?? false,
      follow: values["follow-link"] ?? false,
      cwd: process.cwd(),
    });
    for (const note of notes) context.log.warn(note);
    return 0;
  },
});

/** As docker tells them apart: what begins like a path is one, colons or not; so is what has no colon. */
export function parseEnd(text: string): CopyEnd {
  if (text === "-") return { kind: "stream" };
  const colon = text.indexOf(":");
  if (/^[./]/.test(text) || colon < 1) return { kind: "host", path: text };
  return { kind: "box", box: text.slice(0, colon), path: text.slice(colon + 1) };
}
