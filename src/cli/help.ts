/** `--help`: citty prints the definitions, we set groups, examples and notes around them. */
import { type ArgsDef, renderUsage } from "citty";
import type { ArgumentDefs, Command, OptionDef } from "./command.ts";
import { loadMembers } from "./groups.ts";
import { makeStyle, type Style } from "./ui/terminal.ts";
import { version } from "./version.ts";

/**
 * The help of one command, newline at the end.
 * @param width of its lines, as far as they can be broken
 */
export async function commandHelp(command: Command, colour: boolean, width: number): Promise<string> {
  const style = makeStyle(colour);
  const blocks = [command.meta.description, `${style.bold("Usage:")} ${usageLine(command)}`];
  if (command.subcommands === undefined) {
    blocks.push(block(style, "Arguments", await section("ARGUMENTS", pick(command.args, isShownPositional), width)));
  } else blocks.push(block(style, "Commands", await memberLines(command, style)));
  for (const [title, options] of groupsOf(command.args)) {
    blocks.push(block(style, title, await section("OPTIONS", options, width)));
  }
  blocks.push(...(command.notes ?? []).map((note) => wrapLines(note, width)));
  const examples = command.examples.map(([line, what]) => `  ${style.dim(`# ${what}`)}\n  ${line}`);
  blocks.push(block(style, "Examples", examples.join("\n")));
  return `${blocks.filter((text) => text !== "").join("\n\n")}\n`;
}

/** `ls  List the images (devbox images)`: what has another name elsewhere is told. */
async function memberLines(group: Command, style: Style): Promise<string> {
  const members = await loadMembers(group);
  const width = Math.max(...members.map(({ word }) => word.length));
  const lines = members.map(({ word, command: { meta } }) => {
    const isSame = [word, `${group.meta.name} ${word}`].includes(meta.name);
    return `  ${style.cyan(word.padEnd(width))}  ${meta.description}${isSame ? "" : style.dim(` (devbox ${meta.name})`)}`;
  });
  return lines.join("\n");
}

export interface Section {
  readonly title: string;
  readonly commands: readonly Command[];
}

/** What `devbox` alone prints. */
export function overview(sections: readonly Section[], colour: boolean): string {
  const style = makeStyle(colour);
  const width = Math.max(...sections.flatMap(({ commands }) => commands.map(({ meta }) => meta.name.length)));
  const line = ({ meta }: Command): string => `  ${style.cyan(meta.name.padEnd(width))}  ${meta.description}`;
  const blocks = [
    `devbox ${version}: dev containers without root and without a daemon`,
    `${style.bold("Usage:")} devbox COMMAND [OPTIONS] …`,
    ...sections.map(({ title, commands }) => block(style, title, commands.map(line).join("\n"))),
    `${style.bold("Start with:")}\n  devbox run alpine -- echo hi\n  devbox doctor`,
    "Help on a command: devbox COMMAND --help\nAs an OCI runtime, in the place of runc: devbox oci --help",
  ];
  return `${blocks.join("\n\n")}\n`;
}

function block(style: Style, title: string, body: string): string {
  return body === "" ? "" : `${style.bold(`${title}:`)}\n${body}`;
}

function usageLine(command: Command): string {
  const words = Object.entries(command.args).flatMap(([name, def]) => {
    if (def.type !== "positional") return [];
    const word = `${name.toUpperCase()}${def.variadic ? "…" : ""}`;
    return [def.required === false ? `[${word}]` : word];
  });
  const { meta, subcommands } = command;
  if (subcommands !== undefined) return `devbox ${meta.name} COMMAND [OPTIONS] …`;
  return ["devbox", meta.name, "[OPTIONS]", ...words].join(" ");
}

function isShownPositional(def: ArgumentDefs[string]): boolean {
  return def.type === "positional";
}

function pick(args: ArgumentDefs, wanted: (def: ArgumentDefs[string]) => boolean): ArgumentDefs {
  return Object.fromEntries(Object.entries(args).filter(([, def]) => wanted(def)));
}

/** Options by their headings, in order of first appearance; those without one stand under "Options". */
function groupsOf(args: ArgumentDefs): Map<string, ArgumentDefs> {
  const groups = new Map<string, ArgumentDefs>();
  for (const [name, def] of Object.entries(args)) {
    if (def.type === "positional" || def.hidden) continue;
    const title = titleOf(def);
    groups.set(title, { ...groups.get(title), [name]: def });
  }
  return groups;
}

function titleOf(def: OptionDef): string {
  return def.group ?? "Options";
}

/** The lines that citty prints below a heading of its usage for these definitions. */
async function section(heading: "ARGUMENTS" | "OPTIONS", args: ArgumentDefs, width: number): Promise<string> {
  if (Object.keys(args).length === 0) return "";
  // citty colours when it likes (it reads NO_COLOR, CI and TEST, and never asks for a terminal): ours decides.
  const usage = Bun.stripANSI(await renderUsage({ meta: { name: "" }, args: args satisfies ArgsDef }));
  const lines = usage.split("\n");
  const start = lines.indexOf(heading) + 2;
  const end = lines.indexOf("", start);
  return lines
    .slice(start, end < 0 ? undefined : end)
    .map((line) => alignLeft(line, width))
    .join("\n");
}

const columnWidth = 32;

/** citty sets its first column flush right, as wide as the widest; ours is the same in all groups. */
function alignLeft(line: string, width: number): string {
  const [spelling = "", description = ""] = line.trim().split(/ {4,}/);
  const indented = `  ${/^-\w, /.test(spelling) || !spelling.startsWith("-") ? "" : "    "}${spelling}`;
  const blank = " ".repeat(columnWidth);
  const lines = wrap(description, width - columnWidth - 2).map((part) => `${blank}  ${part}`);
  if (indented.length > columnWidth) return [indented, ...lines].join("\n");
  return indented + lines.join("\n").slice(indented.length);
}

/** Lines that are too long are broken; those that stand there stay. */
function wrapLines(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((line) => wrap(line, width))
    .join("\n");
}

/** Lines of at most `width` characters, broken between words. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
