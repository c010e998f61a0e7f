/** devbox artifact: files in registries that are no images. */
import { defineGroup } from "../subcommands.ts";

export default defineGroup("artifact", "Fetch, store and list files in registries that are no images", {
  pull: () => import("./artifact/pull.ts"),
  push: () => import("./artifact/push.ts"),
  ls: () => import("./artifact/ls.ts"),
  inspect: () => import("./artifact/inspect.ts"),
});
