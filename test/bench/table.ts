/** The result as Markdown. */
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";

export interface Row {
  readonly what: string;
  readonly unit: "ms" | "MB";
  readonly ours: number;
  readonly peer: string;
  readonly theirs: number;
  /** Highest allowed ours / theirs. */
  readonly budget?: number | undefined;
  /** Highest allowed value of ours. */
  readonly limit?: number;
}

export function markdown(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const ratio = row.ours / row.theirs;
    const kept = row.limit === undefined ? row.budget === undefined || ratio <= row.budget : row.ours <= row.limit;
    const budget =
      row.limit === undefined
        ? row.budget === undefined
          ? ""
          : `≤ ${round(row.budget)} ×`
        : `≤ ${row.limit} ${row.unit}`;
    const cells = [
      row.what,
      `${round(row.ours)} ${row.unit}`,
      `${round(row.theirs)} ${row.unit}`,
      `${round(ratio)} ×`,
      budget,
      budget === "" ? "" : kept ? "kept" : "missed",
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = ["| what | devbox | beside | ratio | budget | |", "|---|---|---|---|---|---|"];
  return [`Measured on ${machine()}; medians.`, "", ...head, ...lines, ""].join("\n");
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function machine(): string {
  const memoryKb = Number(readFileSync("/proc/meminfo", "utf8").match(/MemTotal:\s+(\d+)/)?.[1] ?? 0);
  return `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(memoryKb / 2 ** 20)} GiB, Linux ${release().split("-")[0]}, ext4`;
}
