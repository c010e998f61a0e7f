/** Messages on stderr, through consola's levels and our own reporter. */
import type { ConsolaInstance, ConsolaReporter, LogObject } from "consola/core";
import type { LogFields, Logger } from "../../core/context.ts";
import type { Screen } from "./screen.ts";
import { makeStyle, visible } from "./terminal.ts";

export interface LoggerOptions {
  readonly colour: boolean;
  readonly json: boolean;
  /** quiet: warnings only; debug: everything. */
  readonly level: "quiet" | "normal" | "debug";
}

/** consola's numbers (its LogLevels). */
const levels = { quiet: 1, normal: 3, debug: 4 } as const;
const needed = { warn: 1, info: 3, debug: 4 } as const;

/**
 * consola is loaded by the first message that is shown: a `run` that has nothing to say does without. Its core only; the
 * default entry costs 11 to 24 ms. `require`, because a message is not awaited.
 */
export function createLogger(screen: Screen, options: LoggerOptions): Logger {
  let consola: ConsolaInstance | undefined;
  const say = (type: keyof typeof needed, message: string, fields: LogFields | undefined): void => {
    if (needed[type] > levels[options.level]) return;
    if (consola === undefined) {
      const { createConsola } = require("consola/core") as typeof import("consola/core");
      // throttle 0: a message that is said twice is printed twice, and none waits for a timer that the exit forgets.
      consola = createConsola({ level: levels[options.level], throttle: 0, reporters: [reporter(screen, options)] });
    }
    consola[type](message, fields ?? {});
  };
  return {
    debug: (message, fields) => say("debug", message, fields),
    info: (message, fields) => say("info", message, fields),
    warn: (message, fields) => say("warn", message, fields),
  };
}

function reporter(screen: Screen, { colour, json }: LoggerOptions): ConsolaReporter {
  const format = json ? jsonLine : textLine(colour);
  return { log: (record) => screen.print(format(record)) };
}

function jsonLine({ type, args, date }: LogObject): string {
  const [message, fields] = args as [string, LogFields];
  return JSON.stringify({ event: "message", level: type, time: date.toISOString(), message, ...fields });
}

/** `warning: message (name=value)`; news carry no prefix. */
function textLine(colour: boolean): (record: LogObject) => string {
  const style = makeStyle(colour);
  const prefixes: Readonly<Record<string, string>> = {
    warn: `${style.bold(style.yellow("warning:"))} `,
    debug: `${style.dim("debug:")} `,
  };
  return ({ type, args }) => {
    const [message, fields] = args as [string, LogFields];
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${value}`);
    return `${prefixes[type] ?? ""}${visible(`${message}${details.length === 0 ? "" : ` (${details.join(", ")})`}`)}`;
  };
}
