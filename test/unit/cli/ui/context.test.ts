import { expect, test } from "bun:test";
import { openContext } from "../../../../src/cli/ui/context.ts";

/** Until the handler has run: the signal itself tells. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${name} aborts the work, and says by which signal`, async () => {
    using context = openContext({ quiet: true });
    expect(context.signal.aborted).toBe(false);
    const reason = aborted(context.signal);
    process.kill(process.pid, name);
    expect(await reason).toMatchObject({ code: "INTERRUPTED", exitStatus: 130, step: `interrupted by ${name}` });
  });
}

test("disposed, it listens no more", () => {
  const before = process.listenerCount("SIGINT");
  {
    using _context = openContext({});
    expect(process.listenerCount("SIGINT")).toBe(before + 1);
  }
  expect(process.listenerCount("SIGINT")).toBe(before);
});
