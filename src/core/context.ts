/**
 * What every stage that may take time is given: a signal to stop, a place to log, a place to show progress.
 * Below `cli/` nobody prints; `cli/ui` implements these interfaces.
 */

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Messages for the user; stderr, never stdout. Secrets are cut before they come here. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
}

/** One line of progress: a layer that downloads, say. */
export interface ProgressTask {
  /** Bytes done so far, absolute (a resumed download starts above 0). */
  update(doneBytes: number): void;
  /** What happens now: "downloading", "applying", "waiting for another devbox". */
  phase(name: string): void;
  done(result: string): void;
}

export interface Progress {
  task(label: string, totalBytes: number | undefined): ProgressTask;
}

export interface Context {
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly progress: Progress;
  readonly now: () => Date;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const nothing = (): void => {};

/** A context that says nothing: for workers, tests and probes. */
export function silentContext(signal: AbortSignal = new AbortController().signal): Context {
  return {
    signal,
    log: { debug: nothing, info: nothing, warn: nothing },
    progress: { task: () => ({ update: nothing, phase: nothing, done: nothing }) },
    now: () => new Date(),
    env: process.env,
  };
}
