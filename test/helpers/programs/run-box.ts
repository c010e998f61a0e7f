/** Runs a box of a directory in the foreground, as `devbox run` does: run-box.ts ROOT OPTIONS-AS-JSON, in the store $DEVBOX_STORE. */
import { run } from "../../../src/box/run.ts";
import { silentContext } from "../../../src/core/context.ts";
import { DevboxError, describeCause } from "../../../src/core/errors.ts";
import { runOptions } from "../bundle-input.ts";

const [root = "", options = "{}"] = process.argv.slice(2);
const silent = silentContext();
const context = { ...silent, log: { ...silent.log, info: console.error } };
try {
  process.exit(
    await run(context, {
      reference: `dir:${root}`,
      options: runOptions(JSON.parse(options)),
      pull: "missing",
      platform: undefined,
      tlsVerify: true,
      quiet: true,
      explain: false,
      detach: false,
      cidFile: undefined,
    }),
  );
} catch (error) {
  console.error(describeCause(error));
  process.exit(error instanceof DevboxError ? error.exitStatus : 1);
}
