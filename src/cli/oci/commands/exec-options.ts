/** The process that `exec` asks for: a file as engines write it, or the container's own with what the options change. */
import { readFileSync } from "node:fs";
import { DevboxError } from "../../../core/errors.ts";
import type { Capabilities, ParsedConfig, RuntimeProcess, RuntimeUser } from "../../../oci/runtime.ts";

export interface ExecOptions {
  readonly process?: string | undefined;
  readonly command: readonly string[];
  readonly tty?: boolean | undefined;
  readonly env: readonly string[];
  readonly cwd?: string | undefined;
  readonly user?: string | undefined;
  readonly "additional-gids": readonly string[];
  readonly cap: readonly string[];
  readonly "no-new-privs"?: boolean | undefined;
  readonly apparmor?: string | undefined;
  readonly "process-label"?: string | undefined;
}

/** What few calls need is loaded when it is needed. @throws DevboxError USAGE, BAD_CONFIG */
export async function readExecProcess(
  options: ExecOptions,
  config: ParsedConfig,
  warn: (warning: string) => void,
): Promise<RuntimeProcess> {
  const process =
    options.process === undefined ? await fromOptions(options, config, warn) : await fromFile(options.process, warn);
  if (process.terminal !== true || process.consoleSize !== undefined) return process;
  const { withTerminalSize } = await import("../../../box/terminal.ts");
  return withTerminalSize(process);
}

async function fromFile(path: string, warn: (warning: string) => void): Promise<RuntimeProcess> {
  const { parseRuntimeProcess } = await import("../../../oci/parse-runtime.ts");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step: `read ${path}`, cause });
  }
  return parseRuntimeProcess(bytes, { path, warn });
}

async function fromOptions(
  options: ExecOptions,
  config: ParsedConfig,
  warn: (warning: string) => void,
): Promise<RuntimeProcess> {
  if (options.command.length === 0) throw usage("it needs a command, or --process FILE");
  const { consoleSize: _, ...base } = config.process ?? { cwd: "/", env: [], args: [], user: { uid: 0, gid: 0 } };
  const { cwd, apparmor, "process-label": label } = options;
  return {
    ...base,
    args: options.command,
    terminal: options.tty === true,
    env: [...base.env, ...options.env.map(variable)],
    user: userOf(options, base.user),
    ...(cwd === undefined ? {} : { cwd: absolute(cwd) }),
    ...(options.cap.length === 0 ? {} : { capabilities: await withCapabilities(base.capabilities, options.cap, warn) }),
    ...(options["no-new-privs"] === undefined ? {} : { noNewPrivileges: options["no-new-privs"] }),
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    ...(label === undefined ? {} : { selinuxLabel: label }),
  };
}

function variable(entry: string): string {
  if (/^[^=\0]+=[^\0]*$/.test(entry)) return entry;
  throw usage(`option --env is NAME=VALUE, not ${JSON.stringify(entry)}`);
}

function absolute(path: string): string {
  if (path.startsWith("/") && !path.includes("\0")) return path;
  throw usage(`option --cwd is an absolute path, not ${JSON.stringify(path)}`);
}

function userOf(options: ExecOptions, base: RuntimeUser): RuntimeUser {
  const groups = options["additional-gids"]
    .flatMap((text) => text.split(","))
    .map((text) => id("additional-gids", text));
  const additional = groups.length === 0 ? {} : { additionalGids: [...(base.additionalGids ?? []), ...groups] };
  const { user } = options;
  if (user === undefined) return { ...base, ...additional };
  const [uid = "", gid] = user.split(":", 2);
  return { ...base, uid: id("user", uid), gid: gid === undefined ? base.gid : id("user", gid), ...additional };
}

const maxId = 2 ** 32 - 2;

function id(option: string, text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= maxId) return Number(text);
  throw usage(`option --${option} takes numbers, not ${JSON.stringify(text)}`);
}

/** Into every set but the inheritable one, as runc does: what is inheritable would pass through files (CVE-2022-29162). */
async function withCapabilities(
  base: Capabilities | undefined,
  wanted: readonly string[],
  warn: (warning: string) => void,
): Promise<Capabilities> {
  const { capabilityNames } = await import("../../../oci/runtime-words.ts");
  const names = wanted.flatMap((name) => capability(name, capabilityNames, warn));
  const none: Capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  const { bounding, effective, permitted, inheritable, ambient } = base ?? none;
  const add = (set: readonly string[]): readonly string[] => [...new Set([...set, ...names])];
  return {
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
    inheritable,
    ambient: ambient.length === 0 ? ambient : add(ambient),
  };
}

/** One that nobody knows is passed over, as in config.json. */
function capability(text: string, known: readonly string[], warn: (warning: string) => void): readonly string[] {
  const name = text.toUpperCase().replace(/^(?:CAP_)?/, "CAP_");
  if (known.includes(name)) return [name];
  warn(`option --cap: there is no capability ${JSON.stringify(text)}`);
  return [];
}

function usage(because: string): DevboxError {
  return new DevboxError("USAGE", { step: "devbox oci exec", because, hint: "see: devbox oci exec --help" });
}
