/** The command line with `run` in one piece: every import() on the way costs a third of a millisecond of a warm start. */
import "./commands/run.ts";

export { dispatch } from "./dispatch.ts";
