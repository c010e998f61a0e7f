/** devbox image tree: which images share which layers. */
import type { TreeLayer } from "../../../image/image-tree.ts";
import { defineCommand, everyCommand, jsonOption } from "../../command.ts";
import { openContext } from "../../ui/context.ts";
import { writeOut } from "../../ui/output.ts";
import { formatBytes } from "../../ui/units.ts";

export default defineCommand({
  meta: { name: "image tree", description: "Show which images share which layers" },
  args: {
    image: { type: "positional", required: false, completes: "images", description: "Its layers alone, one a line" },
    ...jsonOption,
    ...everyCommand,
  },
  examples: [
    ["devbox image tree", "all images, base layers at the top"],
    ["devbox image tree debian:12", "each layer of one, and the images that end with it"],
  ],
  async run(values) {
    using context = openContext(values);
    const { imageTree } = await import("../../../image/image-tree.ts");
    const { openStore } = await import("../../../store/open.ts");
    const roots = imageTree(context, openStore(context.env), values.image);
    if (values.json) writeOut(`${JSON.stringify(roots)}\n`);
    else writeOut(renderTree(roots, values.image === undefined));
    return 0;
  },
});

/** A run of layers that no image ends with, and that lead to one alone, is one line. */
export function renderTree(roots: readonly TreeLayer[], gathered: boolean): string {
  const lines: string[] = [];
  const draw = (layers: readonly TreeLayer[], indent: string, isRoot: boolean): void => {
    for (const [index, first] of layers.entries()) {
      const run = runOf(first, gathered);
      const isLast = index === layers.length - 1;
      lines.push(`${isRoot ? "" : `${indent}${isLast ? "└── " : "├── "}`}${describeRun(run)}`);
      const next = isRoot ? "" : `${indent}${isLast ? "    " : "│   "}`;
      draw(run.at(-1)?.children ?? [], next, false);
    }
  };
  draw(roots, "", true);
  return lines.map((line) => `${line}\n`).join("");
}

function runOf(first: TreeLayer, gathered: boolean): readonly TreeLayer[] {
  const run = [first];
  for (let layer = first; gathered && layer.images.length === 0; ) {
    const [next, ...others] = layer.children;
    if (next === undefined || others.length > 0) break;
    run.push(next);
    layer = next;
  }
  return run;
}

function describeRun(run: readonly TreeLayer[]): string {
  const top = run.at(-1);
  const id = top?.chainId.replace(/^sha\d+:/, "").slice(0, 12) ?? "";
  const size = formatBytes(run.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const count = run.length === 1 ? "" : ` (${run.length} layers)`;
  return [`${id} ${size}${count}`, ...(top?.images ?? [])].join("  ");
}
