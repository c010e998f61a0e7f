/** The context of a command: where its messages go, how it shows progress, when it must stop. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { createLogger } from "./logger.ts";
import {
  type ClosableProgress,
  jsonProgress,
  type ProgressClock,
  plainProgress,
  silentProgress,
  terminalProgress,
} from "./progress.ts";
import { plainScreen, type Screen, terminalScreen } from "./screen.ts";
import { isTerminal, terminalSize, wantsColour } from "./terminal.ts";

/** The options that decide; of `everyCommand`, `progressOptions` and `jsonOption`. */
export interface ContextOptions {
  readonly debug?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly json?: boolean | undefined;
}

export type CommandContext = Context & Disposable;

/**
 * Opens the context of a command; `using` takes the live block off the terminal and the signal handlers away.
 * The first SIGINT, SIGTERM or SIGHUP aborts `signal`. Each handler serves once: a second Ctrl-C has the system's
 * effect, unless whoever runs a box has put a handler of its own beside.
 */
export function openContext(options: ContextOptions): CommandContext {
  const json = options.json === true;
  const live = !json && isTerminal(2);
  const screen = live ? terminalScreen(() => terminalSize().columns) : plainScreen();
  const progress = chooseProgress(options, live, screen);
  const level = options.debug || options.verbose ? "debug" : options.quiet ? "quiet" : "normal";
  const stop = abortOnSignals();
  return {
    signal: stop.signal,
    log: createLogger(screen, { colour: live && wantsColour(2, process.env), json, level }),
    progress,
    now: () => new Date(),
    env: process.env,
    [Symbol.dispose]() {
      progress.close();
      stop[Symbol.dispose]();
    },
  };
}

const clock: ProgressClock = {
  nowMs: () => performance.now(),
  every(intervalMs, callback) {
    const timer = setInterval(callback, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};

function chooseProgress({ quiet, json }: ContextOptions, live: boolean, screen: Screen): ClosableProgress {
  if (quiet) return silentProgress();
  if (json) return jsonProgress(screen, clock);
  return live ? terminalProgress(screen, clock, () => terminalSize().rows) : plainProgress(screen, clock);
}

function abortOnSignals(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    controller.abort(new DevboxError("INTERRUPTED", { step: `interrupted by ${name}` }));
  };
  for (const name of names) process.once(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
