/** The man page, made from the definitions of the commands: man(7) macros. */
import type { Command, OptionDef, PositionalDef } from "./command.ts";
import type { LoadedGroup } from "./groups.ts";

/** `devbox(1)` as roff. */
export function manPage(commands: readonly Command[], groups: readonly LoadedGroup[], version: string): string {
  return [
    `.TH DEVBOX 1 "" "devbox ${version}" "User Commands"`,
    ".SH NAME",
    "devbox \\- dev containers without root and without a daemon",
    ".SH SYNOPSIS",
    ".B devbox",
    ".I COMMAND",
    "[\\fIOPTIONS\\fR] ...",
    ".SH COMMANDS",
    ...commands.flatMap((command) => {
      const members = groups.find(({ group }) => group === command)?.members;
      return members === undefined ? commandSection(command) : groupSections(command, members);
    }),
    ".SH ENVIRONMENT",
    ...item(
      "DEVBOX_STORE",
      "Directory of images, layers and boxes; default: $XDG_DATA_HOME/devbox or ~/.local/share/devbox.",
    ),
    ...item("REGISTRY_AUTH_FILE", "Credentials of registries, in the form of containers-auth.json(5)."),
    ...item("DOCKER_CONFIG", "Directory of docker's config.json; default: ~/.docker."),
    ...item("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "Proxies for registries."),
    ...item("SSL_CERT_FILE, SSL_CERT_DIR", "Further certificates of authorities."),
    ...item("NO_COLOR", "When set and not empty, no colours."),
    ".SH FILES",
    ...item("/etc/subuid, /etc/subgid", "The ids of boxes: see subuid(5)."),
    ...item("$XDG_RUNTIME_DIR/containers/auth.json, ~/.docker/config.json", "Credentials of registries."),
    ...item("~/.config/containers/certs.d, /etc/containers/certs.d", "Certificates by registry."),
    ".SH EXIT STATUS",
    roff("That of the command in the box; 128 + n when signal n ended it."),
    roff("125: devbox failed. 126: the command cannot be executed. 127: it was not found."),
    "",
  ].join("\n");
}

/** What has a place of its own as well is described there. */
function groupSections(group: Command, members: LoadedGroup["members"]): string[] {
  const { name, description } = group.meta;
  const isOwn = ({ word, command }: (typeof members)[number]) => command.meta.name === `${name} ${word}`;
  return [
    `.SS devbox ${roff(name)} COMMAND [OPTIONS] ...`,
    roff(`${description}.`),
    ...members
      .filter((member) => !isOwn(member))
      .flatMap(({ word, command }) => item(word, `As devbox ${command.meta.name}.`)),
    ...members.filter(isOwn).flatMap(({ command }) => commandSection(command)),
  ];
}

function commandSection(command: Command): string[] {
  const { name, description } = command.meta;
  const positionals: string[] = [];
  const options: string[] = [];
  for (const [argument, def] of Object.entries(command.args)) {
    if (def.type === "positional") positionals.push(positionalWord(argument, def));
    else if (!def.hidden) options.push(...item(spelling(argument, def), describe(def)));
  }
  return [
    `.SS devbox ${[roff(name), "[OPTIONS]", ...positionals].join(" ")}`,
    roff(`${description}.`),
    ...options,
    ...(command.notes ?? []).flatMap((note) => [".PP", roff(note.replaceAll("\n", " "))]),
    ...command.examples.flatMap(([line, what]) => [".PP", roff(`Example, ${what}:`), ".EX", roff(line), ".EE"]),
  ];
}

function describe({ description, default: preset }: OptionDef): string {
  const isTold = preset !== undefined && typeof preset !== "boolean";
  return `${description ?? ""}.${isTold ? ` Default: ${preset}.` : ""}`;
}

function positionalWord(name: string, { required, variadic }: PositionalDef): string {
  const word = `${name.toUpperCase()}${variadic ? "..." : ""}`;
  return roff(required === false ? `[${word}]` : word);
}

function spelling(name: string, def: OptionDef): string {
  const letters = [def.alias ?? []].flat().map((letter) => `-${letter}, `);
  const value = def.type === "enum" ? def.options.join("|") : (def.valueHint ?? "VALUE");
  return `${letters.join("")}--${name}${def.type === "boolean" ? "" : `=${value}`}`;
}

function item(term: string, text: string): string[] {
  return [".TP", `.B ${roff(term)}`, roff(text)];
}

/** roff reads a backslash, a dash that is a minus, and a control character at the start of a line. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...").replace(/^[.']/, "\\&$&");
}
