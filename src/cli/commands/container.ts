/** devbox container: the commands on boxes, as docker and podman group them. */
import { defineGroup } from "../subcommands.ts";

export default defineGroup("container", "Commands on boxes, as docker groups them", {
  attach: () => import("./attach.ts"),
  commit: () => import("./commit.ts"),
  cp: () => import("./cp.ts"),
  create: () => import("./create.ts"),
  diff: () => import("./diff.ts"),
  exec: () => import("./exec.ts"),
  export: () => import("./export.ts"),
  inspect: () => import("./inspect.ts"),
  kill: () => import("./kill.ts"),
  logs: () => import("./logs.ts"),
  ls: () => import("./ps.ts"),
  pause: () => import("./pause.ts"),
  port: () => import("./port.ts"),
  rename: () => import("./rename.ts"),
  restart: () => import("./restart.ts"),
  rm: () => import("./rm.ts"),
  run: () => import("./run.ts"),
  start: () => import("./start.ts"),
  stats: () => import("./stats.ts"),
  stop: () => import("./stop.ts"),
  top: () => import("./top.ts"),
  unpause: () => import("./unpause.ts"),
  update: () => import("./update.ts"),
  wait: () => import("./wait.ts"),
});
