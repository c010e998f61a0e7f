/** Commands that are killed in the middle. */
import type { Home } from "./devbox.ts";
import { descendants, gone } from "./processes.ts";

/** Runs a command and kills devbox after `delayMs`; its helpers must end by themselves. */
export async function killAfter(
  home: Home,
  args: readonly string[],
  delayMs: number,
  signal: NodeJS.Signals = "SIGKILL",
): Promise<void> {
  await using running = home.start(args, { stdin: "" });
  await Promise.race([running.result, Bun.sleep(delayMs)]);
  const all = descendants(running.pid).map(({ pid }) => pid);
  running.kill(signal);
  await running.result;
  await gone(all);
}

/** Milliseconds that a task takes. */
export async function measure(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}
