/**
 * What a command is: plain data in citty's shape, and one function.
 *
 * The definitions are read by two: our parser (`arguments.ts`), and citty, which prints the usage (`help.ts`). citty does
 * not parse: it lets unknown options pass and keeps one value of a repeated one, and loading it costs a quarter of an
 * empty program's start (measured: 2.8 ms without, 3.5 ms with it, because it loads node:util), which `run` must not pay.
 */
import type { BooleanArgDef, EnumArgDef, PositionalArgDef, StringArgDef } from "citty";

interface InHelp {
  /** Heading of `--help` under which the option stands. */
  readonly group?: string;
  /** Accepted, but not shown. */
  readonly hidden?: true;
  /** What shells offer for its value; an `enum` offers its options. Default: nothing. */
  readonly completes?: "boxes" | "files" | "images" | readonly string[];
}

export type FlagDef = BooleanArgDef & InHelp & { type: "boolean" };
export type StringDef = StringArgDef & InHelp & { type: "string"; multiple?: true };
export type ChoiceDef = EnumArgDef & InHelp & { type: "enum"; options: string[] };
/** `variadic`: takes all words that are left; only the last one may. */
export type PositionalDef = PositionalArgDef & InHelp & { type: "positional"; variadic?: true };

export type OptionDef = FlagDef | StringDef | ChoiceDef;
export type ArgumentDefs = Record<string, OptionDef | PositionalDef>;

type ValueOf<D> = D extends { multiple: true } | { variadic: true }
  ? readonly string[]
  : D extends { type: "boolean" }
    ? D extends { default: boolean }
      ? boolean
      : boolean | undefined
    : D extends { type: "positional" }
      ? D extends { required: false }
        ? string | undefined
        : string
      : D extends { type: "enum"; options: (infer O)[] }
        ? D extends { default: string }
          ? O
          : O | undefined
        : D extends { default: string }
          ? string
          : string | undefined;

/** The values of a command line, by the names of the definitions. */
export type Values<A extends ArgumentDefs> = { readonly [K in keyof A]: ValueOf<A[K]> };

/** The commands of a group, by the word that chooses one; each loaded when it is asked for. */
export type Subcommands = Readonly<Record<string, () => Promise<{ readonly default: Command }>>>;

export interface Command<A extends ArgumentDefs = ArgumentDefs> {
  readonly meta: { readonly name: string; readonly description: string };
  readonly args: A;
  /** `[command line, what it does]`. */
  readonly examples: readonly (readonly [string, string])[];
  /** Paragraphs below the options. */
  readonly notes?: readonly string[];
  /** Its exit status is that of what it runs: failures of its own have docker's 125, whatever they are. */
  readonly runsCommand?: true;
  /** It goes on until the user has seen enough: Ctrl-C is no failure to tell of. */
  readonly untilInterrupted?: true;
  /** A group: the first word that is no option chooses one of these. */
  readonly subcommands?: Subcommands;
  /** Everything after the first positional belongs to the box, options too: `run IMAGE ls -l`. */
  readonly cutAtFirstPositional?: true;
  /**
   * @param allCommands for those that speak of others
   * @returns the exit status
   */
  run(values: Values<A>, allCommands: () => Promise<readonly Command[]>): Promise<number>;
}

/** Names the types of a definition; returns it as it is. */
export function defineCommand<const A extends ArgumentDefs>(command: Command<A>): Command<A> {
  return command;
}

/** Options that every command has. */
export const everyCommand = {
  debug: {
    type: "boolean",
    group: "Output",
    description: "Say what is done; on an error, print its code, its plan step and the stack",
  },
  help: { type: "boolean", alias: "h", group: "Output", description: "Print this help" },
} as const satisfies ArgumentDefs;

/** The options of commands that show progress. */
export const progressOptions = {
  quiet: { type: "boolean", alias: "q", group: "Output", description: "Print results and errors only" },
  verbose: {
    type: "boolean",
    group: "Output",
    description: "Say what is done, and what of an image could not be made as it says",
  },
} as const satisfies ArgumentDefs;

/** For commands that have results to print. */
export const jsonOption = {
  json: {
    type: "boolean",
    group: "Output",
    description: "Print JSON: results on stdout, progress and messages on stderr",
  },
} as const satisfies ArgumentDefs;
