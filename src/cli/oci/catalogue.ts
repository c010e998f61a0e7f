/** The commands of `devbox oci`, each in its own file and loaded when it is asked for. */
import type { Command } from "../command.ts";
import type { Around } from "./around.ts";

type Load = () => Promise<{ readonly default: (around: Around) => Command }>;

/** In the order of the overview. */
export const ociCatalogue: Readonly<Record<string, Load>> = {
  create: () => import("./commands/create.ts"),
  start: () => import("./commands/start.ts"),
  state: () => import("./commands/state.ts"),
  kill: () => import("./commands/kill.ts"),
  delete: () => import("./commands/delete.ts"),
  run: () => import("./commands/run.ts"),
  exec: () => import("./commands/exec.ts"),
  list: () => import("./commands/list.ts"),
  ps: () => import("./commands/ps.ts"),
  pause: () => import("./commands/pause.ts"),
  resume: () => import("./commands/resume.ts"),
  update: () => import("./commands/update.ts"),
  events: () => import("./commands/events.ts"),
  spec: () => import("./commands/spec.ts"),
  features: () => import("./commands/features.ts"),
  checkpoint: () => import("./commands/checkpoint.ts"),
  restore: () => import("./commands/restore.ts"),
};
