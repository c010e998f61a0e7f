import { expect, test } from "bun:test";
import { constants } from "node:os";
import { forwardSignals } from "../../../src/box/signals.ts";

const { SIGUSR1, SIGUSR2, SIGCONT } = constants.signals;

/** Sends signals to this process and resolves when they have been handled: a last one, caught here, comes after them. */
async function send(...signals: readonly NodeJS.Signals[]): Promise<void> {
  const handled = Promise.withResolvers<void>();
  process.once("SIGWINCH", () => handled.resolve());
  for (const signal of [...signals, "SIGWINCH"] as const) process.kill(process.pid, signal);
  await handled.promise;
}

test("signals are passed on by number; those before there is a receiver are kept for it", async () => {
  const received: number[] = [];
  using signals = forwardSignals();
  await send("SIGUSR1");
  signals.to((signal) => received.push(signal));
  expect(received).toEqual([SIGUSR1]);
  await send("SIGUSR2", "SIGCONT");
  expect(received.slice(1).sort()).toEqual([SIGUSR2, SIGCONT].sort());
});

test("no handler stays behind", () => {
  const before = process.listenerCount("SIGTERM");
  {
    using _signals = forwardSignals();
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  }
  expect(process.listenerCount("SIGTERM")).toBe(before);
});

test("what is about devbox itself, or about its engine, is not touched", () => {
  using _signals = forwardSignals();
  for (const name of ["SIGCHLD", "SIGWINCH", "SIGPIPE", "SIGTSTP", "SIGPWR", "SIGSEGV"] as const)
    expect(process.listenerCount(name)).toBe(0);
});
