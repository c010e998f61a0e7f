/** `devbox oci …`, and the file called as `devbox-oci`: the command line of runc and crun, for engines and for people. */
import { DevboxError } from "../../core/errors.ts";
import { parseArguments } from "../arguments.ts";
import { type ArgumentDefs, type Command, defineCommand } from "../command.ts";
import { type Around, openAround } from "./around.ts";
import { ociCatalogue } from "./catalogue.ts";
import { type OciLog, openOciLog } from "./log.ts";
import { messageOf } from "./message.ts";

/** Options before the command; runc's, and those of crun that mean something here. */
const globalCommand = defineCommand({
  meta: { name: "oci", description: "Open Container Initiative runtime: the command line of runc" },
  args: {
    command: { type: "positional", required: false, description: "see below" },
    arguments: { type: "positional", required: false, variadic: true, description: "of the command" },
    root: { type: "string", valueHint: "DIR", description: "Directory of the containers' states" },
    log: { type: "string", valueHint: "FILE", description: "Write messages there, too" },
    "log-format": { type: "enum", options: ["text", "json"], default: "text", description: "Of the messages in --log" },
    debug: { type: "boolean", description: "Say what is done" },
    "systemd-cgroup": { type: "boolean", description: "Name control groups as systemd does: slice:prefix:name" },
    "cgroup-manager": {
      type: "enum",
      options: ["cgroupfs", "systemd", "disabled"],
      hidden: true,
      description: "crun's",
    },
    rootless: {
      type: "string",
      valueHint: "true|false|auto",
      description: "Accepted: what is allowed is found by doing",
    },
    criu: { type: "string", hidden: true, description: "runc's, for checkpoints" },
    version: { type: "boolean", alias: "v", description: "Print the version" },
    help: { type: "boolean", alias: "h", description: "Print this help" },
  },
  cutAtFirstPositional: true,
  examples: [
    ["devbox oci run -b BUNDLE ID", "run a bundle in the foreground"],
    ["podman --runtime /usr/local/bin/devbox-oci run alpine", "as podman's runtime, by a link of this name"],
  ],
  run: () => Promise.reject(new Error("not run")),
});

/** @returns the exit status: the command's, or 1 for an error; of `exec` 255. */
export async function runOci(words: readonly string[]): Promise<number> {
  let log = openOciLog(undefined, "text", false);
  try {
    const line = parseArguments(globalCommand, words);
    if (line.help) return await printOverview();
    const { values } = line;
    if (values.version === true) return await printVersion();
    log = openOciLog(values.log, values["log-format"], values.debug === true);
    if (values.command === undefined) return await printOverview();
    const manager = values["cgroup-manager"];
    const around = openAround({
      root: values.root,
      log,
      cgroups: manager ?? (values["systemd-cgroup"] === true ? "systemd" : "cgroupfs"),
    });
    log.debug(`${values.command} ${values.arguments.join(" ")}`);
    return await runCommand(await commandNamed(values.command, around), values.arguments, log);
  } catch (error) {
    return fail(error, log);
  }
}

async function runCommand(command: Command, words: readonly string[], log: OciLog): Promise<number> {
  try {
    const line = parseArguments(command, words);
    if (!line.help) return await command.run(line.values, async () => []);
    return await print(await helpOn(command, `${programName()} ${command.meta.name.replace("oci ", "")}`));
  } catch (error) {
    return fail(error, log, command.meta.name === "oci exec" ? 255 : 1);
  }
}

/** runc's exit statuses: that of a further process, where it is not the process's own, is told apart by 255. */
function fail(error: unknown, log: OciLog, status = 1): number {
  const { text, hint, stack } = messageOf(error);
  log.error(text, hint);
  if (stack !== undefined) log.debug(stack);
  return status;
}

async function commandNamed(name: string, around: Around): Promise<Command<ArgumentDefs>> {
  const load = Object.hasOwn(ociCatalogue, name) ? ociCatalogue[name] : undefined;
  if (load !== undefined) return (await load()).default(around);
  const { nearest } = await import("../../core/nearest.ts");
  const found = nearest(name, Object.keys(ociCatalogue));
  throw new DevboxError("USAGE", {
    step: `unknown command ${JSON.stringify(name)}`,
    because: `No help topic for '${name}'`,
    hint: found === undefined ? "see: devbox oci --help" : `did you mean ${found}? see: devbox oci --help`,
  });
}

/** containerd reads lines "commit: " and "spec: "; podman and docker print the whole, or the word behind "version". */
async function printVersion(): Promise<number> {
  const { version } = await import("../version.ts");
  const { specVersion } = await import("../../runtime/spec-version.ts");
  return await print(`${programName()} version ${version}\ncommit: ${version}\nspec: ${specVersion}\n`);
}

async function printOverview(): Promise<number> {
  const names = Object.keys(ociCatalogue).join(" ");
  const help = await helpOn(globalCommand, programName());
  return await print(`${help}\nCommands: ${names}\nHelp on one: devbox oci COMMAND --help\n`);
}

/** It begins as the help of runc does: scripts ask which runtime they have, and what it can. */
async function helpOn(command: Command, name: string): Promise<string> {
  const { commandHelp } = await import("../help.ts");
  const { helpWidth } = await import("../ui/terminal.ts");
  const [description = "", ...rest] = (await commandHelp(command, false, helpWidth())).split("\n\n");
  return [`NAME:\n   ${name} - ${description}`, ...rest].join("\n\n");
}

/** What it was called as, where that is the name of a runtime. */
function programName(): string {
  return /(?:^|\/)runc$/.test(process.argv0) ? "runc" : "devbox-oci";
}

async function print(text: string): Promise<number> {
  const { writeOut } = await import("../ui/output.ts");
  writeOut(text);
  return 0;
}
