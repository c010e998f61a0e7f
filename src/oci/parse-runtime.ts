/**
 * config.json from bytes (runtime-spec config.md, config-linux.md): every property checked for its type and its value, and
 * every complaint with its place: `linux.namespaces[2].type: expected one of …`.
 *
 * Unknown properties are ignored (config.md "Extensibility"). As in what Go programs read and write, null and an empty text
 * are the same as nothing.
 */
import { decodeExactly } from "./exact-json.ts";
import {
  expected,
  fail,
  isAbsent,
  type JsonDocument,
  type JsonPlace,
  member,
  optional,
  parseJson,
  readArray,
  readBoolean,
  readInteger,
  readString,
  readStringMap,
  readStrings,
} from "./json.ts";
import { readIdMappings, readLinux } from "./parse-runtime-linux.ts";
import { processWarnings, readProcess } from "./parse-runtime-process.ts";
import { checkTogether, collectWarnings } from "./parse-runtime-rules.ts";
import { absolutePath, optionalText, readEnvironment } from "./parse-runtime-texts.ts";
import type { Hook, Hooks, ParsedConfig, RuntimeMount, RuntimeProcess } from "./runtime.ts";
import { hookPoints } from "./runtime-words.ts";

/** Far more than what any engine writes; a box of 1000 mounts with a filter has a quarter of one. */
export const maxRuntimeConfigBytes = 16 * 1024 * 1024;

export interface ConfigSource {
  /** Of the file, for errors. */
  readonly path: string;
  /** Told of what is passed over, as the spec wants it logged (runtime.md "Warnings"). */
  readonly warn?: (warning: string) => void;
}

/** @throws BAD_CONFIG naming the place and the reason. */
export function parseRuntimeConfig(bytes: Uint8Array, source: ConfigSource): ParsedConfig {
  const root = open(bytes, source);
  const linux = member(root, "linux");
  const config: ParsedConfig = {
    ociVersion: readVersion(member(root, "ociVersion")),
    root: readRoot(member(root, "root")),
    process: optional(root, "process", readProcess).process,
    ...optionalText(root, "hostname", (place) => readName(place)),
    ...optionalText(root, "domainname", (place) => readName(place)),
    mounts: optional(root, "mounts", (place) => readArray(place, readMount)).mounts ?? [],
    ...optional(root, "hooks", readHooks),
    ...optional(root, "annotations", readAnnotations),
    linux: isAbsent(linux) ? { namespaces: [] } : readLinux(linux),
  };
  checkTogether(root, config);
  for (const warning of collectWarnings(root)) source.warn?.(warning);
  return config;
}

/** The file of `exec --process`: what stands under "process" in config.json. @throws BAD_CONFIG. */
export function parseRuntimeProcess(bytes: Uint8Array, source: ConfigSource): RuntimeProcess {
  const root = open(bytes, source);
  const process = readProcess(root);
  for (const warning of processWarnings(root)) source.warn?.(warning);
  return process;
}

function open(bytes: Uint8Array, { path }: ConfigSource): JsonPlace {
  const document: JsonDocument = { code: "BAD_CONFIG", step: `read ${path}` };
  return parseJson(bytes, document, maxRuntimeConfigBytes, decodeExactly);
}

const semver =
  /^(0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

/** Whatever 1.x has more than we know is an unknown property (config.md "Specification version"). */
function readVersion(place: JsonPlace): string {
  const version = readString(place);
  const major = semver.exec(version)?.[1] ?? expected(place, "a version such as 1.2.0");
  return major === "1" ? version : fail(place, `version ${version} is not supported; 1.x is`);
}

function readRoot(place: JsonPlace): ParsedConfig["root"] {
  const path = readString(member(place, "path"));
  if (path === "") expected(member(place, "path"), "a path");
  return { path, ...optional(place, "readonly", readBoolean) };
}

/** sethostname(2), setdomainname(2): __NEW_UTS_LEN. */
function readName(place: JsonPlace): string {
  const name = readString(place);
  return new TextEncoder().encode(name).length <= 64 ? name : expected(place, "at most 64 bytes");
}

function readMount(place: JsonPlace): RuntimeMount {
  const destination = readString(member(place, "destination"));
  if (destination === "") expected(member(place, "destination"), "a path");
  const mount: RuntimeMount = {
    // Relative ones are deprecated, and relative to / (config.md "Mounts").
    destination: destination.startsWith("/") ? destination : `/${destination}`,
    ...optionalText(place, "type", readString),
    ...optionalText(place, "source", readString),
    ...optional(place, "options", readStrings),
    ...optional(place, "uidMappings", readIdMappings),
    ...optional(place, "gidMappings", readIdMappings),
  };
  const hasUids = (mount.uidMappings ?? []).length > 0;
  if (hasUids !== (mount.gidMappings ?? []).length > 0) {
    fail(
      place,
      `${hasUids ? "uidMappings" : "gidMappings"} needs ${hasUids ? "gidMappings" : "uidMappings"} beside it`,
    );
  }
  return mount;
}

function readHooks(place: JsonPlace): Hooks {
  const entries = hookPoints.map((point) => optional(place, point, (hooks) => readArray(hooks, readHook)));
  return Object.assign({}, ...entries);
}

function readHook(place: JsonPlace): Hook {
  return {
    path: absolutePath(member(place, "path")),
    ...optional(place, "args", readStrings),
    ...optional(place, "env", readEnvironment),
    ...optional(place, "timeout", (timeout) => readInteger(timeout, 1)),
  };
}

function readAnnotations(place: JsonPlace): Readonly<Record<string, string>> {
  const annotations = readStringMap(place);
  return Object.hasOwn(annotations, "") ? fail(place, "it has an annotation without a name") : annotations;
}
