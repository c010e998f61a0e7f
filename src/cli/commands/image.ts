/** devbox image: everything on images; most of it has a short name too. */
import { defineGroup } from "../subcommands.ts";

export default defineGroup("image", "List, show, verify and remove images", {
  ls: () => import("./images.ts"),
  exists: () => import("./image/exists.ts"),
  inspect: () => import("./image/inspect.ts"),
  history: () => import("./history.ts"),
  tags: () => import("./image/tags.ts"),
  tree: () => import("./image/tree.ts"),
  verify: () => import("./image/verify.ts"),
  rm: () => import("./rmi.ts"),
  prune: () => import("./image/prune.ts"),
  pull: () => import("./pull.ts"),
  push: () => import("./push.ts"),
  save: () => import("./save.ts"),
  load: () => import("./load.ts"),
  import: () => import("./import.ts"),
  tag: () => import("./tag.ts"),
  untag: () => import("./untag.ts"),
});
