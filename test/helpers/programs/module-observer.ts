/** Preloaded with `bun --preload`: at exit, writes the paths of all loaded modules to the file $MODULE_LIST. */
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  // In Bun require.cache holds ES modules as well as CommonJS ones.
  writeFileSync(process.env["MODULE_LIST"] ?? "/dev/null", Object.keys(require.cache).join("\n"));
});
