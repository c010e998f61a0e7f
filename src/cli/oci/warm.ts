/** The command line with `exec` in one piece: every import() on the way costs a third of a millisecond. */
import "./commands/exec.ts";

export { runOci } from "./main.ts";
