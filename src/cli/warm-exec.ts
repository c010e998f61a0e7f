/** The command line with `exec` in one piece, as warm.ts is for `run`. */
import "./commands/exec.ts";

export { dispatch } from "./dispatch.ts";
