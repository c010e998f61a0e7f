/** devbox system: what is about everything, as docker and podman group it. */
import { defineGroup } from "../subcommands.ts";

export default defineGroup("system", "Commands on everything, as docker groups them", {
  df: () => import("./df.ts"),
  events: () => import("./events.ts"),
  info: () => import("./doctor.ts"),
  prune: () => import("./prune.ts"),
});
