/** Signals that devbox gets while a box runs in the foreground go to the box's command, as docker's --sig-proxy. */
import { os } from "../core/os.ts";

/**
 * Not forwarded: SIGKILL and SIGSTOP cannot be caught; SIGCHLD and SIGWINCH are about us; SIGPIPE is an errno here; the
 * job-control stops (Ctrl-Z) stop devbox like any program of the shell; faults are our own; SIGPWR belongs to
 * JavaScriptCore, which stops its threads with it.
 */
const forwarded = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGIO",
] as const satisfies readonly NodeJS.Signals[];

export interface SignalForwarder extends Disposable {
  /** Where signals go. */
  to(send: (signal: number) => void): void;
}

/** Forwards from now on; what comes before `to` is known is kept and sent then. */
export function forwardSignals(): SignalForwarder {
  const early: number[] = [];
  let deliver = (signal: number): void => void early.push(signal);
  const handlers = forwarded.map((name) => {
    const handler = (): void => deliver(os().constants.signals[name]);
    process.on(name, handler);
    return [name, handler] as const;
  });
  return {
    to(send) {
      deliver = send;
      for (const signal of early.splice(0)) send(signal);
    },
    [Symbol.dispose]() {
      for (const [name, handler] of handlers) process.off(name, handler);
    },
  };
}

/** The longest time that a timer can be set to. */
const maxDelayMs = 2 ** 31 - 1;

/** Something to be done a while after it has been asked for the first time, unless disposed before. */
export function delayed(seconds: number, action: () => void): { start(): void } & Disposable {
  let timer: Timer | undefined;
  return {
    start() {
      timer ??= setTimeout(action, Math.min(seconds * 1000, maxDelayMs));
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
