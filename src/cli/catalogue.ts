/** The commands, each in its own file and loaded when it is asked for. */
import type { Command } from "./command.ts";

/** In the order of the overview. */
export const catalogue: Readonly<Record<string, () => Promise<{ readonly default: Command }>>> = {
  run: () => import("./commands/run.ts"),
  exec: () => import("./commands/exec.ts"),
  create: () => import("./commands/create.ts"),
  start: () => import("./commands/start.ts"),
  stop: () => import("./commands/stop.ts"),
  restart: () => import("./commands/restart.ts"),
  kill: () => import("./commands/kill.ts"),
  pause: () => import("./commands/pause.ts"),
  unpause: () => import("./commands/unpause.ts"),
  wait: () => import("./commands/wait.ts"),
  logs: () => import("./commands/logs.ts"),
  attach: () => import("./commands/attach.ts"),
  update: () => import("./commands/update.ts"),
  pull: () => import("./commands/pull.ts"),
  images: () => import("./commands/images.ts"),
  rmi: () => import("./commands/rmi.ts"),
  rm: () => import("./commands/rm.ts"),
  ps: () => import("./commands/ps.ts"),
  inspect: () => import("./commands/inspect.ts"),
  top: () => import("./commands/top.ts"),
  stats: () => import("./commands/stats.ts"),
  port: () => import("./commands/port.ts"),
  events: () => import("./commands/events.ts"),
  rename: () => import("./commands/rename.ts"),
  cp: () => import("./commands/cp.ts"),
  volume: () => import("./commands/volume.ts"),
  bundle: () => import("./commands/bundle.ts"),
  prune: () => import("./commands/prune.ts"),
  doctor: () => import("./commands/doctor.ts"),
  completion: () => import("./commands/completion.ts"),
  man: () => import("./commands/man.ts"),
  version: () => import("./commands/version.ts"),
};

/** Commands that programs call, not people: they stand in no help. */
export const hiddenCommands: typeof catalogue = {
  hook: () => import("./commands/hook.ts"),
  __ended: async () => ({ default: (await import("./commands/box-events.ts")).ended }),
  __restart: async () => ({ default: (await import("./commands/box-events.ts")).restart }),
  __health: async () => ({ default: (await import("./commands/box-events.ts")).health }),
};

export async function loadCommand(name: string): Promise<Command | undefined> {
  const load = [catalogue, hiddenCommands].find((table) => Object.hasOwn(table, name))?.[name];
  return load === undefined ? undefined : (await load()).default;
}

/** Those of the overview, in its order. */
export async function loadAllCommands(): Promise<readonly Command[]> {
  return await Promise.all(Object.values(catalogue).map(async (load) => (await load()).default));
}
