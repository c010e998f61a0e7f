/** devbox top: the processes of a box. */
import { defineCommand, everyCommand } from "../command.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";
import { renderTable } from "../ui/table.ts";

export default defineCommand({
  meta: { name: "top", description: "List the processes of a box" },
  args: {
    box: { type: "positional", completes: "boxes", description: "Name, or the beginning of an id" },
    options: { type: "positional", required: false, variadic: true, description: "Options of ps(1), of this machine" },
    ...everyCommand,
  },
  cutAtFirstPositional: true,
  examples: [
    ["devbox top web", "process ids are those of this machine"],
    ["devbox top web -o pid,rss,args", "other columns, by ps(1); PID must be among them"],
  ],
  async run(values) {
    using context = openContext(values);
    const { topOfBox } = await import("../../box/top.ts");
    const { titles, rows } = topOfBox(context, values.box, values.options);
    const columns = titles.map((title, index) => ({ title, cell: (row: readonly string[]) => row[index] ?? "" }));
    writeOut(renderTable(columns, rows));
    return 0;
  },
});
