/**
 * Which program am I: the command line, the OCI runtime (`devbox oci`, or the file called as `devbox-oci` or, in its place,
 * `runc`), a helper that applies layers, or the question for the version. Loads only that.
 */
import { version } from "./cli/version.ts";

const given = process.argv.slice(2);
// argv[0] is what it was called as; the compiled file's own name stands in process.execPath.
const words = /(?:^|\/)(?:devbox-oci|runc)$/.test(process.argv0) ? ["oci", ...given] : given;

switch (words[0]) {
  case "--version":
  case "-v":
    console.log(`devbox ${version}`);
    break;
  case "__apply-worker": {
    const { runApplyWorker } = await import("./layer/worker.ts");
    await runApplyWorker();
    break;
  }
  case "__copy-worker": {
    const { runCopyWorker } = await import("./layer/copy-worker.ts");
    await runCopyWorker(words[1] ?? "");
    break;
  }
  case "run": {
    const { dispatch } = await import("./cli/warm.ts");
    process.exit(await dispatch(words));
    break;
  }
  case "exec": {
    const { dispatch } = await import("./cli/warm-exec.ts");
    process.exit(await dispatch(words));
    break;
  }
  case "oci": {
    const { runOci } = words.includes("exec") ? await import("./cli/oci/warm.ts") : await import("./cli/oci/main.ts");
    process.exit(await runOci(words.slice(1)));
    break;
  }
  default: {
    const { dispatch } = await import("./cli/dispatch.ts");
    // Everything was written synchronously; nothing that is left open may delay the end.
    process.exit(await dispatch(words));
  }
}
