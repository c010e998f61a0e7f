/** devbox doctor: what this machine can, what it lacks, and the line that mends it. */
import type { Finding } from "../../doctor/finding.ts";
import { defineCommand, everyCommand, jsonOption } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { renderTable } from "../ui/table.ts";
import { makeStyle, type Style, wantsColour } from "../ui/terminal.ts";
import { version } from "../version.ts";

export default defineCommand({
  meta: { name: "doctor", description: "Find out what this machine can, and how to mend what it lacks" },
  args: {
    bundle: {
      type: "string",
      valueHint: "FILE.zip",
      completes: "files",
      description: "Write a support archive, without secrets",
    },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox doctor", "a line for each ability; exit status 0 when boxes can run"],
    ["devbox doctor --bundle devbox-support.zip", "something to attach to a report"],
  ],
  async run(values) {
    using context = openContext(values);
    const { diagnose, readSystemText } = await import("../../doctor/diagnose.ts");
    const { canRun } = await import("../../doctor/finding.ts");
    const { readHostFacts } = await import("../../host/read-facts.ts");
    const { storeRoot } = await import("../../store/open.ts");
    const host = readHostFacts(context.env);
    const input = { context, host, storeRoot: storeRoot(context.env), readText: readSystemText };
    const findings = await diagnose(input);
    const able = canRun(findings);
    if (values.json) writeOut(`${JSON.stringify({ canRun: able, version, findings })}\n`);
    else writeOut(renderFindings(findings, able, makeStyle(wantsColour(1, context.env))));
    if (values.bundle !== undefined) {
      const { collectArchive, writeArchive } = await import("../../doctor/support-archive.ts");
      writeArchive(values.bundle, collectArchive(input, { devbox: version, bun: Bun.version }, findings));
      context.log.info(`wrote ${values.bundle}; look into it before you give it away`);
    }
    return able ? 0 : 1;
  },
});

/** The table, below each line what mends it, and the verdict. */
export function renderFindings(findings: readonly Finding[], able: boolean, style: Style): string {
  const paint = { ok: style.green, warn: style.yellow, fail: style.red };
  const [heading = "", ...rows] = renderTable(
    [
      { title: "RESULT", cell: ({ status }) => paint[status](status) },
      { title: "WHAT", cell: ({ name }) => name },
      { title: "FOUND", cell: ({ detail }) => detail },
    ],
    findings,
  ).split("\n");
  const lines = findings.flatMap(({ fix }, index) => {
    const row = rows[index] ?? "";
    return fix === undefined ? [row] : [row, `         ${style.dim("fix:")} ${fix}`];
  });
  const verdict = able ? "Boxes can run here." : "Boxes cannot run here: mend what fails.";
  return `${[heading, ...lines, "", verdict].join("\n")}\n`;
}
