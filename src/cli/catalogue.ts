/** The commands, each in its own file and loaded when it is asked for. */
import type { Command } from "./command.ts";

type Commands = Readonly<Record<string, () => Promise<{ readonly default: Command }>>>;

/** Under the headings of the overview, in its order. */
const sections: Readonly<Record<string, Commands>> = {
  Boxes: {
    run: () => import("./commands/run.ts"),
    create: () => import("./commands/create.ts"),
    start: () => import("./commands/start.ts"),
    stop: () => import("./commands/stop.ts"),
    restart: () => import("./commands/restart.ts"),
    kill: () => import("./commands/kill.ts"),
    pause: () => import("./commands/pause.ts"),
    unpause: () => import("./commands/unpause.ts"),
    wait: () => import("./commands/wait.ts"),
    rm: () => import("./commands/rm.ts"),
    rename: () => import("./commands/rename.ts"),
    update: () => import("./commands/update.ts"),
  },
  "In a box": {
    exec: () => import("./commands/exec.ts"),
    attach: () => import("./commands/attach.ts"),
    cp: () => import("./commands/cp.ts"),
    logs: () => import("./commands/logs.ts"),
  },
  "What there is": {
    ps: () => import("./commands/ps.ts"),
    inspect: () => import("./commands/inspect.ts"),
    top: () => import("./commands/top.ts"),
    stats: () => import("./commands/stats.ts"),
    port: () => import("./commands/port.ts"),
    diff: () => import("./commands/diff.ts"),
    events: () => import("./commands/events.ts"),
  },
  "Images and volumes": {
    pull: () => import("./commands/pull.ts"),
    push: () => import("./commands/push.ts"),
    copy: () => import("./commands/copy.ts"),
    save: () => import("./commands/save.ts"),
    load: () => import("./commands/load.ts"),
    import: () => import("./commands/import.ts"),
    commit: () => import("./commands/commit.ts"),
    export: () => import("./commands/export.ts"),
    tag: () => import("./commands/tag.ts"),
    untag: () => import("./commands/untag.ts"),
    image: () => import("./commands/image.ts"),
    images: () => import("./commands/images.ts"),
    history: () => import("./commands/history.ts"),
    rmi: () => import("./commands/rmi.ts"),
    artifact: () => import("./commands/artifact.ts"),
    login: () => import("./commands/login.ts"),
    logout: () => import("./commands/logout.ts"),
    volume: () => import("./commands/volume.ts"),
    bundle: () => import("./commands/bundle.ts"),
    df: () => import("./commands/df.ts"),
    prune: () => import("./commands/prune.ts"),
  },
  "The same, in docker's groups": {
    container: () => import("./commands/container.ts"),
    system: () => import("./commands/system.ts"),
  },
  "devbox itself": {
    doctor: () => import("./commands/doctor.ts"),
    completion: () => import("./commands/completion.ts"),
    man: () => import("./commands/man.ts"),
    version: () => import("./commands/version.ts"),
  },
};

export const catalogue: Commands = Object.assign({}, ...Object.values(sections));

/** Commands that programs call, not people: they stand in no help. */
export const hiddenCommands: Commands = {
  hook: () => import("./commands/hook.ts"),
  __ended: async () => ({ default: (await import("./commands/box-events.ts")).ended }),
  __restart: async () => ({ default: (await import("./commands/box-events.ts")).restart }),
  __thaw: async () => ({ default: (await import("./commands/box-events.ts")).thaw }),
  __health: async () => ({ default: (await import("./commands/box-events.ts")).health }),
};

export async function loadCommand(name: string): Promise<Command | undefined> {
  const load = [catalogue, hiddenCommands].find((table) => Object.hasOwn(table, name))?.[name];
  return load === undefined ? undefined : (await load()).default;
}

/** Those of the overview, in its order. */
export async function loadAllCommands(): Promise<readonly Command[]> {
  return (await loadSections()).flatMap(({ commands }) => commands);
}

export async function loadSections() {
  return await Promise.all(
    Object.entries(sections).map(async ([title, commands]) => ({ title, commands: await loadAll(commands) })),
  );
}

async function loadAll(commands: Commands): Promise<readonly Command[]> {
  return await Promise.all(Object.values(commands).map(async (load) => (await load()).default));
}
