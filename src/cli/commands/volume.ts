/** devbox volume: the volumes that have names. */
import { defineGroup } from "../subcommands.ts";

export default defineGroup("volume", "Make, list and remove volumes", {
  create: () => import("./volume/create.ts"),
  ls: () => import("./volume/ls.ts"),
  inspect: () => import("./volume/inspect.ts"),
  rm: () => import("./volume/rm.ts"),
  prune: () => import("./volume/prune.ts"),
});
