/** Values of single flags of `run`: text → plain data, or a USAGE error that names the flag and shows the right form. */
import { readFileSync } from "node:fs";
import type { DeviceRequest, NetworkMode } from "../bundle/options.ts";
import { DevboxError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { os } from "../core/os.ts";
import { isIPv4 } from "../network/ports.ts";

export function badFlag(flag: string, text: string, because: string, example: string): DevboxError {
  return new DevboxError("USAGE", { step: `read ${flag} ${text}`, because, hint: `for example ${flag} ${example}` });
}

const units: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `64m`, `64MB`, `64MiB`, `1.5g`, `67108864`: powers of 1024, as docker reads sizes (go-units RAMInBytes). */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(text);
  const unit = units[match?.[2]?.toLowerCase() ?? "none"];
  const bytes = Math.floor(Number(match?.[1]) * (unit ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes <= 0) throw badFlag(flag, text, "it is not a size", "64m");
  return bytes;
}

/** Whole seconds. */
export function parseSeconds(flag: string, text: string): number {
  const seconds = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(seconds)) throw badFlag(flag, text, "it is not a number of seconds", "10");
  return seconds;
}

const networkModes: Readonly<Record<string, NetworkMode>> = {
  none: "none",
  host: "host",
  slirp4netns: "slirp4netns",
  // What docker and podman call a network of the box's own with a way out.
  bridge: "slirp4netns",
  default: "slirp4netns",
  private: "slirp4netns",
};

export function parseNetwork(text: string): NetworkMode {
  const mode = Object.hasOwn(networkModes, text) ? networkModes[text] : undefined;
  if (mode !== undefined) return mode;
  const guess = nearest(text, Object.keys(networkModes));
  throw badFlag("--network", text, "there are none, host and slirp4netns", guess ?? "none");
}

/** `/dev/fuse`, `/dev/a:/dev/b`, `/dev/a:rw`, `/dev/a:/dev/b:rwm`. */
export function parseDevice(text: string): DeviceRequest {
  const [source = "", second, third, surplus] = text.split(":");
  const isPermissions = (part: string | undefined): part is string => part !== undefined && /^[rwm]+$/.test(part);
  const target = second === undefined || (third === undefined && isPermissions(second)) ? source : second;
  const permissions = third ?? (isPermissions(second) ? second : "rwm");
  const isValid = [source, target].every((path) => path.startsWith("/")) && isPermissions(permissions);
  if (!isValid || surplus !== undefined) {
    throw badFlag("--device", text, "it is not of the form SOURCE[:TARGET[:rwm]] with absolute paths", "/dev/fuse");
  }
  return { source, target, permissions };
}

/** `NAME=VALUE` pairs; later ones win. `bare`: the value of a name alone; undefined: not allowed. */
export function parsePairs(
  flag: string,
  texts: readonly string[],
  example: string,
  bare?: string,
): Readonly<Record<string, string>> {
  const pairs = texts.map((text): [string, string] => {
    const equals = text.indexOf("=");
    const value = equals < 0 ? bare : text.slice(equals + 1);
    const name = equals < 0 ? text : text.slice(0, equals);
    if (name === "" || value === undefined) throw badFlag(flag, text, "it is not of the form NAME=VALUE", example);
    return [name, value];
  });
  return Object.fromEntries(pairs);
}

export function checkNameServer(text: string): string {
  if (!isAddress(text)) throw badFlag("--dns", text, "it is not an IP address", "9.9.9.9");
  return text;
}

/** What becomes a word of a line in a file. */
export function checkWord(flag: string, text: string, example: string): string {
  if (!/^[^\s#;]+$/.test(text)) throw badFlag(flag, text, "it is not one word", example);
  return text;
}

/** proc_pid_oom_score_adj(5). */
export function parseOomScore(text: string): number {
  if (/^-?\d{1,4}$/.test(text) && Math.abs(Number(text)) <= 1000) return Number(text);
  throw badFlag("--oom-score-adj", text, "it is not a number from -1000 to 1000", "500");
}

/** Without node:net, which `run` would not load otherwise. */
export function isAddress(text: string): boolean {
  return isIPv4(text) || (/^[0-9a-f:.]+$/i.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`));
}

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3`; as it was written. */
export function checkSignal(text: string): string {
  const name = text.toUpperCase().replace(/^(?!SIG)/, "SIG");
  const isNumber = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 64;
  const isKnown = Object.hasOwn(os().constants.signals, name) || /^SIGRT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)$/.test(name);
  if (!isNumber && !isKnown) throw badFlag("--stop-signal", text, "there is no such signal", "SIGINT");
  return text;
}

/** `""` for none, `["sh","-c"]`, or one program. */
export function parseEntrypoint(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("[")) return [text];
  const wrong = badFlag("--entrypoint", text, "it is not a JSON list of strings", `'["sh","-c"]'`);
  const list = parseJson(text, () => wrong);
  if (!Array.isArray(list) || !list.every((item): item is string => typeof item === "string")) throw wrong;
  return list;
}

/** JSON, or the error that `wrong` makes of what is wrong with it. */
export function parseJson(
  text: string,
  wrong: (cause: unknown) => DevboxError,
  decode: (text: string) => unknown = JSON.parse,
): unknown {
  try {
    return decode(text);
  } catch (cause) {
    throw wrong(cause);
  }
}

/** @throws DevboxError USAGE */
export function readEnvFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new DevboxError("USAGE", { step: `read --env-file ${file}`, cause, hint: "give a file that you can read" });
  }
}
