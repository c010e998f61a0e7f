/** Which registries.conf files count, and how they are merged (containers-registries.conf(5), …conf.d(5)). */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { os } from "../../core/os.ts";
import {
  parseAliasesFile,
  parseRegistriesFile,
  type RegistriesFile,
  type RegistryEntry,
  type ShortNameMode,
} from "./registries-conf.ts";

export interface RegistriesConf {
  /** Of names without a registry, in the order in which they stand. */
  readonly searchRegistries: readonly string[];
  readonly shortNameMode: ShortNameMode;
  readonly aliases: ReadonlyMap<string, string>;
  readonly registries: readonly RegistryEntry[];
  /** The files that were read, for messages. */
  readonly paths: readonly string[];
}

/** The directory whose files are read where there is none of the user's own; another one in tests. */
const systemDirectory = "/etc/containers";

/**
 * What the files say together. A later file wins: it replaces lists, and tables of the same prefix; aliases are added.
 * @throws DevboxError BAD_CONFIG naming the file and the place in it: a wrong line must not open what is blocked
 */
export function readRegistriesConf(env: Context["env"], system = systemDirectory): RegistriesConf {
  const paths = registriesConfPaths(env, system);
  const files = paths.map((path) => parseRegistriesFile(readWhole(path), path));
  const written = aliasesPath(env);
  const learned = existsSync(written) ? parseAliasesFile(readWhole(written), written) : {};
  return {
    searchRegistries: lastOf(files, ({ searchRegistries }) => searchRegistries) ?? [],
    shortNameMode: lastOf(files, ({ shortNameMode }) => shortNameMode) ?? "permissive",
    aliases: mergeAliases([...files.map(({ aliases }) => aliases), learned]),
    registries: mergeRegistries(files),
    paths,
  };
}

/**
 * Those that are there, in the order in which they count. The user's registries.conf takes the place of the system's and
 * its drop-ins; without it the user's drop-ins come after those. $CONTAINERS_REGISTRIES_CONF (podman(1)) goes before both.
 */
export function registriesConfPaths(env: Context["env"], system = systemDirectory): readonly string[] {
  const user = join(env["XDG_CONFIG_HOME"] || join(env["HOME"] || os().homedir(), ".config"), "containers");
  const [userFile, systemFile] = [join(user, "registries.conf"), join(system, "registries.conf")];
  const [userDropIns, systemDropIns] = [dropIns(user), dropIns(system)];
  const named = env["CONTAINERS_REGISTRIES_CONF"];
  if (named) return [named, ...systemDropIns, ...userDropIns];
  if (existsSync(userFile)) return [userFile, ...userDropIns];
  return [...(existsSync(systemFile) ? [systemFile] : []), ...systemDropIns, ...userDropIns];
}

/** podman keeps there what its user has chosen for a short name, in files of its own. */
function aliasesPath(env: Context["env"]): string {
  const cache = env["XDG_CACHE_HOME"] || join(env["HOME"] || os().homedir(), ".cache");
  const base = process.getuid?.() === 0 ? "/var/cache" : cache;
  return join(base, "containers/short-name-aliases.conf");
}

function dropIns(directory: string): readonly string[] {
  const path = join(directory, "registries.conf.d");
  // existsSync first: an error that is thrown and caught costs more than the rest (this is on the way of a warm run).
  if (!existsSync(path)) return [];
  try {
    const names = readdirSync(path).filter((name) => name.endsWith(".conf"));
    return names.sort().map((name) => join(path, name));
  } catch (cause) {
    throw new DevboxError("BAD_CONFIG", { step: `read ${path}`, cause });
  }
}

function readWhole(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    // A directory that is called x.conf is no drop-in.
    if (errnoName(cause) === "EISDIR") return new Uint8Array();
    throw new DevboxError("BAD_CONFIG", { step: `read ${path}`, cause });
  }
}

function lastOf<T>(files: readonly RegistriesFile[], value: (file: RegistriesFile) => T | undefined): T | undefined {
  return files.map(value).findLast((one) => one !== undefined);
}

function mergeAliases(maps: readonly Readonly<Record<string, string>>[]): ReadonlyMap<string, string> {
  const merged = new Map(maps.flatMap((map) => Object.entries(map)));
  return new Map([...merged].filter(([, target]) => target !== ""));
}

/** Of one file, the first table of a prefix counts; of several, the last file's. */
function mergeRegistries(files: readonly RegistriesFile[]): readonly RegistryEntry[] {
  const merged = new Map<string, RegistryEntry>();
  for (const { registries } of files) {
    for (const entry of [...registries].reverse()) merged.set(entry.prefix, entry);
  }
  return [...merged.values()];
}
