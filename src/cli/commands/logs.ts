/** devbox logs: what a box in the background has printed. */
import type { LogFrame } from "../../box/log-frames.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { badFlag } from "../run-values.ts";
import { parseTimePoint } from "../time-point.ts";
import { openContext } from "../ui/context.ts";
import { writeBytes } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "logs", description: "Print what a box in the background has printed" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or beginning of the id" },
    follow: { type: "boolean", alias: "f", description: "Go on until the box ends" },
    tail: { type: "string", alias: "n", valueHint: "LINES", description: "Only the last lines; all: everything" },
    since: { type: "string", valueHint: "TIME", description: "Only what came later: 10m, 2026-01-31T12:00:00Z" },
    until: { type: "string", valueHint: "TIME", description: "Only what came before" },
    timestamps: { type: "boolean", alias: "t", description: "Put the time before each line" },
    details: { type: "boolean", hidden: true, description: "docker's further details, of which there are none" },
    ...everyCommand,
  },
  untilInterrupted: true,
  examples: [
    ["devbox logs web", "stdout to stdout, stderr to stderr"],
    ["devbox logs -f -n 20 web", "the last lines, and what comes"],
    ["devbox logs -t --since 10m web", "with times"],
  ],
  async run(values) {
    const now = new Date();
    const point = (flag: string, text: string | undefined) =>
      text === undefined ? undefined : parseTimePoint(flag, text, now);
    const request = {
      tail: parseTail(values.tail),
      since: point("--since", values.since),
      until: point("--until", values.until),
      follow: values.follow ?? false,
    };
    using context = openContext(values);
    const { readLogs } = await import("../../box/logs.ts");
    const { stampLines } = await import("../../box/log-frames.ts");
    const format = values.timestamps ? stampLines() : ({ bytes }: LogFrame) => bytes;
    for await (const frame of readLogs(context, values.box, request)) {
      // Whoever read has gone: there is nobody to follow for.
      if (!writeBytes(frame.stream === "stdout" ? 1 : 2, format(frame))) break;
    }
    return 0;
  },
});

/** docker takes what is negative for all. */
function parseTail(text: string | undefined): number | undefined {
  if (text === undefined || text === "all" || /^-\d+$/.test(text)) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badFlag("--tail", text, "it is not a number of lines", "20");
}
