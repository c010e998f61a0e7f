/** `boxes/<id>/health.json`: a file of its own, because the checks run beside everything else that changes a box. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { storeError } from "../store/atomic-write.ts";
import { healthPath } from "../store/box-state.ts";
import type { BoxHealth, BoxPaths } from "../store/types.ts";
import { unknownHealth } from "./health-check.ts";

export function readHealth(paths: BoxPaths): BoxHealth {
  try {
    // Written whole, by the function below.
    return JSON.parse(readFileSync(healthPath(paths), "utf8")) as BoxHealth;
  } catch {
    return unknownHealth;
  }
}

export function writeHealth(paths: BoxPaths, health: BoxHealth): void {
  const path = healthPath(paths);
  try {
    writeFileSync(`${path}.new`, JSON.stringify(health), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw storeError(error, `write ${path}`);
  }
}
