/**
 * registries.conf in version 2 of its format (containers-registries.conf(5)): text → what it says, checked. Which files
 * there are, and how they are merged: `registries-conf-files.ts`.
 *
 * Bun.TOML reads it: arrays of tables, dotted and quoted keys and duplicates are as TOML 1.0 wants them, and it costs no
 * package and no load time. What it does not say is the line of a mistake; that is found here.
 */
import { DevboxError } from "../../core/errors.ts";
import {
  expected,
  fail,
  isAbsent,
  type JsonPlace,
  member,
  readArray,
  readBoolean,
  readMap,
  readObject,
  readOneOf,
  readString,
} from "../../oci/json.ts";

/** What a file says; undefined: nothing, what an earlier file says stands. */
export interface RegistriesFile {
  readonly searchRegistries: readonly string[] | undefined;
  readonly shortNameMode: ShortNameMode | undefined;
  /** Short name → name with a registry; "": the alias of an earlier file is taken back. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly registries: readonly RegistryEntry[];
}

const shortNameModes = ["enforcing", "permissive", "disabled"] as const;
export type ShortNameMode = (typeof shortNameModes)[number];

/** Where the names that begin with `prefix` really are. */
export interface RegistryEntry {
  /** `host[:port][/namespace…][:tag|@digest]` or `*.domain`. */
  readonly prefix: string;
  /** What stands in the place of the prefix; undefined: the prefix itself. */
  readonly location: string | undefined;
  /** Plain http and any certificate are accepted. */
  readonly insecure: boolean;
  readonly blocked: boolean;
  /** In the order in which they are asked. */
  readonly mirrors: readonly MirrorEntry[];
}

export interface MirrorEntry {
  readonly location: string;
  readonly insecure: boolean;
  readonly use: MirrorUse;
}

const mirrorUses = ["all", "digest-only", "tag-only"] as const;
export type MirrorUse = (typeof mirrorUses)[number];

/** Far above what people write, and little enough to search for the line of a mistake. */
const MAX_FILE_BYTES = 1024 * 1024;

/** @throws DevboxError BAD_CONFIG naming the file and the place in it. */
export function parseRegistriesFile(bytes: Uint8Array, path: string): RegistriesFile {
  const root = parseToml(bytes, `read ${path}`);
  refuseVersion1(root);
  return {
    searchRegistries: optionalAt(root, "unqualified-search-registries", (place) =>
      readArray(place, readSearchRegistry),
    ),
    shortNameMode: optionalAt(root, "short-name-mode", readShortNameMode),
    aliases: optionalAt(root, "aliases", readAliases) ?? {},
    registries: optionalAt(root, "registry", (place) => readArray(place, readRegistry)) ?? [],
  };
}

/** short-name-aliases.conf, which podman writes: nothing but `[aliases]`. */
export function parseAliasesFile(bytes: Uint8Array, path: string): Readonly<Record<string, string>> {
  return optionalAt(parseToml(bytes, `read ${path}`), "aliases", readAliases) ?? {};
}

function parseToml(bytes: Uint8Array, step: string): JsonPlace {
  const document = { code: "BAD_CONFIG", step } as const;
  const root: JsonPlace = { value: undefined, path: "", document };
  if (bytes.byteLength > MAX_FILE_BYTES) {
    return fail(root, `it has ${bytes.byteLength} bytes; at most ${MAX_FILE_BYTES} are accepted`);
  }
  const text = decodeUtf8(bytes) ?? fail(root, "it is not UTF-8");
  try {
    return { ...root, value: Bun.TOML.parse(text) };
  } catch (error) {
    const mistake = messageOf(error);
    return fail(root, `line ${lineOf(text, mistake)}: ${mistake}`);
  }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^TOML Parse error: /, "") : String(error);
}

function mistakeIn(text: string): string | undefined {
  try {
    Bun.TOML.parse(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The parser stops at the first mistake: it is in the last of the lines that are needed for it to be found. */
function lineOf(text: string, mistake: string): number {
  const lines = text.split(/(?<=\n)/);
  let [without, having] = [0, lines.length];
  while (having - without > 1) {
    const middle = (without + having) >> 1;
    if (mistakeIn(lines.slice(0, middle).join("")) === mistake) having = middle;
    else without = middle;
  }
  return having;
}

function optionalAt<T>(place: JsonPlace, key: string, read: (place: JsonPlace) => T): T | undefined {
  const inner = member(place, key);
  return isAbsent(inner) ? undefined : read(inner);
}

/** `[registries.search]` and its like, deprecated since 2019: no prefixes, no locations, no mirrors. */
function refuseVersion1(root: JsonPlace): void {
  const { value } = member(root, "registries");
  if (value === undefined) return;
  throw new DevboxError("BAD_CONFIG", {
    step: root.document.step,
    because: "registries: this is version 1 of the format, which devbox does not read",
    hint: "write unqualified-search-registries = […] and [[registry]] tables instead: containers-registries.conf(5)",
  });
}

function readShortNameMode(place: JsonPlace): ShortNameMode {
  // "If short-name-mode is not specified at all or left empty, default to the permissive mode."
  return place.value === "" ? "permissive" : readOneOf(place, shortNameModes);
}

function readSearchRegistry(place: JsonPlace): string {
  const text = readLocation(place);
  return text.includes("/") ? expected(place, "a registry, HOST[:PORT]") : text;
}

function readAliases(place: JsonPlace): Readonly<Record<string, string>> {
  for (const name of Object.keys(readObject(place))) {
    if (!namePattern.test(name) || hasRegistry(name)) {
      fail(place, `${JSON.stringify(name)} is not a short name: a name without registry, tag and digest`);
    }
  }
  return readMap(place, (target) => {
    const text = readString(target);
    if (text === "" || (hasRegistry(text) && namePattern.test(text.slice(text.indexOf("/") + 1)))) return text;
    return expected(target, "a name with its registry, without tag and digest");
  });
}

/**
 * The letters of repositories, no tag, no digest. Where an alias is used, all of the grammar counts: to check it of every
 * alias costs a warm run a tenth of a millisecond.
 */
const namePattern = /^[a-z0-9._-]+(?:\/[a-z0-9._-]+)*$/;

/** Whether a name begins with a registry, as references do (`parseReference`). */
function hasRegistry(name: string): boolean {
  return /^(?:[^/]*[.:A-Z][^/]*|localhost)\//.test(name);
}

function readRegistry(place: JsonPlace): RegistryEntry {
  const location = optionalAt(place, "location", readOptionalLocation);
  const prefix = optionalAt(place, "prefix", readPrefix) ?? location;
  if (prefix === undefined) return fail(place, "it has neither prefix nor location");
  if (prefix.startsWith("*.") && location?.startsWith("*.") === true) {
    return fail(member(place, "location"), "a place has no wildcard");
  }
  const digestOnly = optionalAt(place, "mirror-by-digest-only", readBoolean) ?? false;
  return {
    prefix,
    location,
    insecure: optionalAt(place, "insecure", readBoolean) ?? false,
    blocked: optionalAt(place, "blocked", readBoolean) ?? false,
    mirrors: optionalAt(place, "mirror", (list) => readArray(list, (one) => readMirror(one, digestOnly))) ?? [],
  };
}

function readMirror(place: JsonPlace, digestOnly: boolean): MirrorEntry {
  const use = optionalAt(place, "pull-from-mirror", (one) => (one.value === "" ? "all" : readOneOf(one, mirrorUses)));
  if (use !== undefined && digestOnly) {
    return fail(
      member(place, "pull-from-mirror"),
      "the registry has mirror-by-digest-only: only one of them may be set",
    );
  }
  return {
    location: readLocation(member(place, "location")),
    insecure: optionalAt(place, "insecure", readBoolean) ?? false,
    use: use ?? (digestOnly ? "digest-only" : "all"),
  };
}

function readOptionalLocation(place: JsonPlace): string | undefined {
  return place.value === "" ? undefined : readLocation(place);
}

const hostPattern = /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9][a-zA-Z0-9.-]*)(?::[0-9]{1,5})?$/;

/** `host[:port][/namespace…]`, without a slash at its end. */
function readLocation(place: JsonPlace): string {
  const text = readString(place).replace(/\/+$/, "");
  if (/^https?:\/\//.test(text)) return fail(place, "a registry is named without http:// or https://");
  const [host = "", ...path] = text.split("/");
  const isPlain = path.every((part) => /^[a-zA-Z0-9._:@-]+$/.test(part));
  return hostPattern.test(host) && isPlain ? text : expected(place, "HOST[:PORT][/NAMESPACE…]");
}

/** As a location, or `*.domain`: a wildcard stands for subdomains, at the beginning and of nothing but a host. */
function readPrefix(place: JsonPlace): string | undefined {
  const text = readString(place);
  if (text === "") return undefined;
  if (!text.includes("*")) return readLocation(place);
  return /^\*(?:\.[a-zA-Z0-9-]+)+$/.test(text) ? text : expected(place, "a wildcard of the form *.example.com");
}
