/** devbox image tree: which images share which layers. */
import type { TreeLayer } from "../../../image/shown/image-tree.ts";
import { defineCommand, everyCommand, jsonOption } from "../../command.ts";
import { familiar } from "../../format/image-name.ts";
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
    const { imageTree } = await import("../../../image/shown/image-tree.ts");
    const { openStore } = await import("../../../store/open.ts");
    const roots = imageTree(context, openStore(context.env), values.image);
    if (values.json) writeOut(`${JSON.stringify(roots)}\n`);
    else writeOut(values.image === undefined ? renderTree(roots) : renderChain(roots));
    return 0;
  },
});

/** A run of layers that no image ends with, and that lead to one alone, is one line. */
export function renderTree(roots: readonly TreeLayer[]): string {
  const lines: string[] = [];
  const draw = (layers: readonly TreeLayer[], indent: string | undefined): void => {
    for (const [index, first] of layers.entries()) {
      const run = runOf(first);
      const isLast = index === layers.length - 1;
      lines.push(`${indent === undefined ? "" : `${indent}${branch(isLast)}`}${describeRun(run)}\n`);
      draw(run.at(-1)?.children ?? [], indent === undefined ? "" : `${indent}${isLast ? "    " : "│   "}`);
    }
  };
  draw(roots, undefined);
  return lines.join("");
}

/** The layers of one image, base first: they would be as deep as they are many. */
export function renderChain(roots: readonly TreeLayer[]): string {
  const lines: string[] = [];
  for (let [layer] = roots; layer !== undefined; [layer] = layer.children) {
    lines.push(`${branch(layer.children.length === 0)}${describeRun([layer])}\n`);
  }
  return lines.join("");
}

function branch(isLast: boolean): string {
  return isLast ? "└── " : "├── ";
}

function runOf(first: TreeLayer): readonly TreeLayer[] {
  const run = [first];
  for (let layer = first; layer.images.length === 0; ) {
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
  return [`${id} ${size}${count}`, ...(top?.images ?? []).map(familiar)].join("  ");
}
