/** devbox at a terminal: a pseudoterminal of Bun's, its screen as the text that came so far. */

import { collect, type Home } from "./devbox.ts";
import { devboxBinary } from "./given.ts";

export interface TerminalSession extends AsyncDisposable {
  readonly pid: number;
  output(pattern: RegExp): Promise<RegExpMatchArray>;
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** Everything that was shown, and how it ended. */
  readonly result: Promise<{ readonly shown: string; readonly exitCode: number }>;
}

/** Runs a command line of a shell in which `$DEVBOX` is the program, on a terminal of 80 columns and 24 rows. */
export function openTerminal(home: Home, script: string): TerminalSession {
  const chunks = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 1e6 }, { highWaterMark: 1e6 });
  const writer = chunks.writable.getWriter();
  const child = Bun.spawn(["sh", "-c", script], {
    env: { ...home.env, DEVBOX: devboxBinary() },
    cwd: home.directory,
    terminal: {
      cols: 80,
      rows: 24,
      data: (_, data) => void writer.write(Uint8Array.from(data)),
      exit: () => void writer.close(),
    },
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error("no terminal");
  const shown = collect(chunks.readable);
  const result = (async () => {
    const exitCode = await child.exited;
    terminal.close();
    await shown.ended;
    return { shown: shown.text(), exitCode };
  })();
  return {
    pid: child.pid,
    output: shown.until,
    type: (text) => void terminal.write(text),
    resize: (columns, rows) => terminal.resize(columns, rows),
    result,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await result;
    },
  };
}
