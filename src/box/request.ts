/** What `box/run.ts` is asked for: an image by reference, how to get it, and how to run it. */
import type { RunOptions } from "../bundle/options.ts";
import type { PullPolicy } from "../image/pull/ensure.ts";

export interface RunRequest {
  /** As the user typed it. */
  readonly reference: string;
  readonly options: RunOptions;
  readonly pull: PullPolicy;
  /** `OS/ARCH[/VARIANT]`; undefined: this machine's. */
  readonly platform: string | undefined;
  /** false: plain http and unverified certificates are accepted. */
  readonly tlsVerify: boolean;
  readonly quiet: boolean;
  /** Print the launch plan instead of executing it. */
  readonly explain: boolean;
  /** Leave it running in the background. */
  readonly detach: boolean;
  /** A new file that gets the id; undefined: none. */
  readonly cidFile: string | undefined;
}
