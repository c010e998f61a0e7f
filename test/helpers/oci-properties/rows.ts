/** The table: a row, or more, for each property of config.json. */
import { linuxRows } from "./linux.ts";
import { mountRows } from "./mounts.ts";
import { processRows, topRows } from "./process.ts";
import { resourceRows } from "./resources.ts";
import type { Row } from "./row.ts";
import { seccompRows } from "./seccomp.ts";

export const rows: readonly Row[] = [
  ...topRows,
  ...processRows,
  ...mountRows,
  ...linuxRows,
  ...resourceRows,
  ...seccompRows,
];
