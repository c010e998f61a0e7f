/**
 * Command lines, strictly: what docker's and podman's users type means the same here, and a slip is an error.
 *
 * citty's definitions, but not its parser, which (0.2.2, tried) lets unknown options pass, keeps the last value only of a
 * repeated option, takes `--no-x` out of the words after `--`, and eats the options of the box's command. The rules here
 * are those of pflag, which docker and podman use: `--env A=1`, `--env=A=1`, `-e A=1`, `-eA=1`, `-e=A=1`, bundles (`-it`),
 * `--init=false`; a value option takes the next word whatever it looks like.
 */
import { DevboxError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { ArgumentDefs, Command, OptionDef, Values } from "./command.ts";

/** What a command line says. With `help`, `values` is not complete: only the usage is to be printed. */
export type ParsedLine<A extends ArgumentDefs> =
  | { readonly help: true }
  | { readonly help: false; readonly values: Values<A> };

/** An option as it was found, in order. */
interface Given {
  readonly name: string;
  readonly value: string | boolean;
}

/** An option of the command, and how the user spelled it. */
interface Recognized {
  readonly name: string;
  readonly spelled: string;
  readonly def: OptionDef;
}

interface Split {
  readonly options: readonly Given[];
  readonly positionals: readonly string[];
}

/**
 * Reads the words after the command's name.
 * @throws DevboxError USAGE, with the nearest option as a hint.
 */
export function parseArguments<A extends ArgumentDefs>(command: Command<A>, words: readonly string[]): ParsedLine<A> {
  const { options, positionals } = splitLine(command, words);
  if (options.some(({ name, value }) => name === "help" && value === true)) return { help: true };
  const values: Record<string, unknown> = {};
  for (const [name, def] of optionsOf(command)) values[name] = chooseValue(command, name, def, options);
  assignPositionals(command, positionals, values);
  // The definitions say which type each name has; the two functions above have followed them.
  return { help: false, values: values as Values<A> };
}

/** Options and words apart; the line is cut at `--`, or at the first word where the command says so. */
function splitLine(command: Command<ArgumentDefs>, words: readonly string[]): Split {
  const options: Given[] = [];
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") return { options, positionals: cut(command, [...positionals, ...words.slice(index + 1)]) };
    if (word.startsWith("-") && word !== "-") {
      const read = word.startsWith("--") ? readLong : readBundle;
      if (read(command, word, words[index + 1], options) === "took the next word") index++;
    } else if (command.cutAtFirstPositional) {
      return { options, positionals: cut(command, words.slice(index)) };
    } else {
      positionals.push(word);
    }
  }
  return { options, positionals };
}

/** `run IMAGE -- ls`: the `--` behind the image is ours, as in `run -- IMAGE ls`; later ones are the command's. */
function cut(command: Command<ArgumentDefs>, words: readonly string[]): readonly string[] {
  if (command.cutAtFirstPositional && words[1] === "--") return [words[0] ?? "", ...words.slice(2)];
  return words;
}

type Taken = "took the next word" | undefined;

function readLong(command: Command<ArgumentDefs>, word: string, next: string | undefined, found: Given[]): Taken {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const text = equals < 0 ? undefined : word.slice(equals + 1);
  const def = optionNamed(command, name);
  if (def !== undefined) return readValue(command, { name, spelled: `--${name}`, def }, text, next, found);
  const positive = name.startsWith("no-") ? name.slice(3) : undefined;
  if (positive !== undefined && optionNamed(command, positive)?.type === "boolean") {
    if (text !== undefined) throw usage(command, `--${name} takes no value`);
    found.push({ name: positive, value: false });
    return undefined;
  }
  throw unknownOption(command, word);
}

/** `-it`, `-eA=1`, `-e A=1`, `-t=false`. */
function readBundle(command: Command<ArgumentDefs>, word: string, next: string | undefined, found: Given[]): Taken {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] ?? "";
    const [name, def] = optionLettered(command, letter) ?? [];
    if (name === undefined || def === undefined) throw unknownOption(command, word, letter);
    const rest = word.slice(at + 1);
    if (def.type === "boolean" && !rest.startsWith("=")) {
      found.push({ name, value: true });
      continue;
    }
    const text = rest === "" ? undefined : rest.startsWith("=") ? rest.slice(1) : rest;
    return readValue(command, { name, spelled: `-${letter}`, def }, text, next, found);
  }
  return undefined;
}

function readValue(
  command: Command<ArgumentDefs>,
  { name, spelled, def }: Recognized,
  text: string | undefined,
  next: string | undefined,
  found: Given[],
): Taken {
  if (def.type === "boolean") {
    found.push({ name, value: text === undefined ? true : parseBoolean(command, spelled, text) });
    return undefined;
  }
  const value = text ?? next;
  if (value === undefined) throw usage(command, `option ${spelled} needs a value${hintOf(def)}`);
  if (def.type === "enum" && !def.options.includes(value)) {
    throw usage(command, `option ${spelled} is one of ${def.options.join(", ")}, not ${JSON.stringify(value)}`);
  }
  found.push({ name, value });
  return text === undefined ? "took the next word" : undefined;
}

/** The words that Go's strconv.ParseBool takes, because docker's and podman's scripts contain them. */
function parseBoolean(command: Command<ArgumentDefs>, spelled: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw usage(command, `option ${spelled} is true or false, not ${JSON.stringify(text)}`);
}

function chooseValue(
  command: Command<ArgumentDefs>,
  name: string,
  def: OptionDef,
  given: readonly Given[],
): string | boolean | readonly string[] | undefined {
  const values = given.filter((option) => option.name === name).map((option) => option.value);
  if (def.type === "string" && def.multiple) return values.map(String);
  const last = values.at(-1) ?? def.default;
  if (last === undefined && def.required) throw usage(command, `option --${name} is missing${hintOf(def)}`);
  return last;
}

function assignPositionals(
  command: Command<ArgumentDefs>,
  words: readonly string[],
  values: Record<string, unknown>,
): void {
  let index = 0;
  for (const [name, def] of Object.entries(command.args)) {
    if (def.type !== "positional") continue;
    if (words[index] === undefined && def.required !== false) throw usage(command, `${name.toUpperCase()} is missing`);
    values[name] = def.variadic ? words.slice(index) : (words[index] ?? def.default);
    index = def.variadic ? words.length : index + 1;
  }
  const surplus = words[index];
  if (surplus !== undefined) throw usage(command, `one word too many: ${JSON.stringify(surplus)}`);
}

function optionsOf(command: Command<ArgumentDefs>): [string, OptionDef][] {
  const options: [string, OptionDef][] = [];
  for (const [name, def] of Object.entries(command.args)) if (def.type !== "positional") options.push([name, def]);
  return options;
}

function optionNamed(command: Command<ArgumentDefs>, name: string): OptionDef | undefined {
  const def = Object.hasOwn(command.args, name) ? command.args[name] : undefined;
  return def === undefined || def.type === "positional" ? undefined : def;
}

function optionLettered(command: Command<ArgumentDefs>, letter: string): [string, OptionDef] | undefined {
  return optionsOf(command).find(([, def]) => [def.alias].flat().includes(letter));
}

function hintOf(def: OptionDef): string {
  return def.valueHint === undefined ? "" : `: ${def.valueHint}`;
}

function usage(command: Command<ArgumentDefs>, what: string, suggestion?: string): DevboxError {
  const line = `devbox ${command.meta.name}`;
  return new DevboxError("USAGE", {
    step: `${line}: ${what}`,
    hint: suggestion === undefined ? `see: ${line} --help` : `did you mean ${suggestion}? see: ${line} --help`,
  });
}

/** `letter`: the one that is unknown in a bundle. A long name with one dash (`-rm`) is recognized too. */
function unknownOption(command: Command<ArgumentDefs>, word: string, letter?: string): DevboxError {
  const visible = optionsOf(command).filter(([, def]) => !def.hidden);
  const names = visible.flatMap(([name, def]) => (def.type === "boolean" ? [name, `no-${name}`] : [name]));
  const spelled = word.replace(/=.*$/s, "");
  const found = nearest(spelled.replace(/^-+/, ""), names);
  const suggestion = found === undefined || (letter !== undefined && spelled.length === 2) ? undefined : `--${found}`;
  const inBundle = letter !== undefined && spelled.length > 2 ? `-${letter} in ${spelled}` : spelled;
  return usage(command, `unknown option ${inBundle}`, suggestion);
}
