/**
 * `-v`, `--mount` and `--tmpfs` as docker spells them (docker/cli, opts/mount.go; compose-go volume syntax; podman-run(1)),
 * read into mount requests. Pure; every error is USAGE and names the part.
 */
import { posix } from "node:path";
import { isVolumeName } from "../store/volume-paths.ts";
import { type Fail, failBecause, parseBoolean, splitFields, tmpfsOption, tmpfsSizeOption } from "./mount-fields.ts";
import type { MountRequest } from "./options.ts";

const propagations: readonly string[] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** Consistency was for docker's virtual machines; a label is for SELinux, which knows no user namespaces' boxes. */
const meaningless: readonly string[] = ["cached", "delegated", "consistent", "default", "z", "Z"];

/** `-v [SOURCE:]TARGET[:OPTIONS]`. Relative sources lie below `cwd`. */
export function parseVolumeFlag(text: string, cwd: string): MountRequest {
  const fail = failBecause(`read --volume ${JSON.stringify(text)}`, "for example -v ./src:/src or -v /data:/data:ro");
  const parts = text.split(":");
  if (parts.length > 3) return fail("it has more than three parts; a path with a colon needs --mount");
  const [first = "", second, optionText = ""] = parts;
  if (second === undefined) return { kind: "anonymous", target: cleanTarget(first, fail) };
  const target = cleanTarget(second, fail);
  const options = readVolumeOptions(optionText, fail);
  const { readonly, recursive, propagation } = options;
  if (!looksLikePath(first)) {
    if (propagation !== undefined) return fail(`a volume has no propagation ("${propagation}"); a directory has`);
    return { kind: "volume", name: volumeName(first, fail), target, readonly, noCopy: options.noCopy };
  }
  const source = posix.resolve(cwd, first);
  return bind({ source, target, readonly, createSource: true, recursive, propagation });
}

function readVolumeOptions(text: string, fail: Fail) {
  let readonly = false;
  let recursive = true;
  let noCopy = false;
  let propagation: string | undefined;
  for (const option of text.split(",").filter((each) => each !== "")) {
    if (option === "ro" || option === "rw") readonly = option === "ro";
    else if (option === "bind" || option === "rbind") recursive = option === "rbind";
    else if (option === "nocopy") noCopy = true;
    else if (propagations.includes(option)) propagation = option;
    else if (!meaningless.includes(option)) return fail(`the option "${option}" is unknown or not supported`);
  }
  return { readonly, recursive, noCopy, propagation };
}

/** `--mount type=bind,source=…,target=…` in any order of keys. */
export function parseMountFlag(text: string, cwd: string): MountRequest {
  const example = /(?:^|,)type=tmpfs\b/.test(text)
    ? "type=tmpfs,target=/run,tmpfs-size=64m,tmpfs-mode=755"
    : "type=bind,source=/data,target=/data,readonly";
  const fail = failBecause(`read --mount ${JSON.stringify(text)}`, `for example --mount ${example}`);
  const fields = readMountFields(text, fail);
  const type = fields.get("type") ?? "volume";
  const target = cleanTarget(fields.get("target") ?? fail("it names no target"), fail);
  checkKeys(fields, type, fail);
  switch (type) {
    case "bind":
      return bindFromFields(fields, target, cwd, fail);
    case "tmpfs":
      if (fields.has("source")) return fail("a tmpfs has no source");
      return { kind: "tmpfs", target, options: tmpfsFromFields(fields, fail) };
    case "volume":
      return volumeFromFields(fields, target, fail);
    default:
      return fail(`the type "${type}" is unknown; bind, tmpfs and volume are known`);
  }
}

/** `--tmpfs TARGET[:OPTIONS]`. */
export function parseTmpfsFlag(text: string): MountRequest {
  const fail = failBecause(`read --tmpfs ${JSON.stringify(text)}`, "for example --tmpfs /run:size=64m,mode=755");
  const colon = text.indexOf(":");
  const target = cleanTarget(colon === -1 ? text : text.slice(0, colon), fail);
  const optionText = colon === -1 ? "" : text.slice(colon + 1);
  const options = optionText.split(",").filter((option) => option !== "");
  return { kind: "tmpfs", target, options: options.map((option) => tmpfsOption(option, fail)) };
}

const keyNames: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
  "tmpfs-size": "size",
  "tmpfs-mode": "mode",
};

const keysOfType: Readonly<Record<string, readonly string[]>> = {
  bind: ["bind-propagation", "bind-nonrecursive", "bind-recursive", "bind-create-src", "consistency"],
  tmpfs: ["size", "mode"],
  volume: ["volume-nocopy"],
};

function readMountFields(text: string, fail: Fail): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of splitFields(text, fail)) {
    const equals = field.indexOf("=");
    const key = (equals === -1 ? field : field.slice(0, equals)).trim().toLowerCase();
    fields.set(
      Object.hasOwn(keyNames, key) ? (keyNames[key] ?? key) : key,
      equals === -1 ? "true" : field.slice(equals + 1),
    );
  }
  return fields;
}

function checkKeys(fields: ReadonlyMap<string, string>, type: string, fail: Fail): void {
  const known = ["type", "source", "target", "readonly", ...(keysOfType[type] ?? [])];
  const unknown = [...fields.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined && Object.hasOwn(keysOfType, type))
    fail(`the key "${unknown}" is unknown for type=${type}`);
}

function bindFromFields(fields: ReadonlyMap<string, string>, target: string, cwd: string, fail: Fail): MountRequest {
  const source = fields.get("source");
  if (source === undefined || source === "") return fail("a bind mount needs a source");
  const propagation = fields.get("bind-propagation");
  if (propagation !== undefined && !propagations.includes(propagation)) {
    return fail(`bind-propagation is one of ${propagations.join(", ")}, not "${propagation}"`);
  }
  const recursion = fields.get("bind-recursive") ?? "enabled";
  if (!["enabled", "disabled", "writable", "readonly"].includes(recursion)) {
    return fail(`bind-recursive is enabled, disabled or readonly, not "${recursion}"`);
  }
  if (recursion === "writable")
    return fail("bind-recursive=writable is not supported: read-only means all that lies below");
  const flag = (key: string): boolean => parseBoolean(fields.get(key) ?? "false", key, fail);
  return bind({
    source: posix.resolve(cwd, source),
    target,
    readonly: flag("readonly"),
    createSource: flag("bind-create-src"),
    recursive: recursion !== "disabled" && !flag("bind-nonrecursive"),
    propagation,
  });
}

/** Without a source it is the box's own. */
function volumeFromFields(fields: ReadonlyMap<string, string>, target: string, fail: Fail): MountRequest {
  const source = fields.get("source") ?? "";
  const flag = (key: string): boolean => parseBoolean(fields.get(key) ?? "false", key, fail);
  const [readonly, noCopy] = [flag("readonly"), flag("volume-nocopy")];
  if (source !== "") return { kind: "volume", name: volumeName(source, fail), target, readonly, noCopy };
  return readonly
    ? fail("a volume without a source is the box's own: nobody could write to it")
    : { kind: "anonymous", target };
}

function tmpfsFromFields(fields: ReadonlyMap<string, string>, fail: Fail): string[] {
  const size = fields.get("size");
  const mode = fields.get("mode");
  return [
    ...(parseBoolean(fields.get("readonly") ?? "false", "readonly", fail) ? ["ro"] : []),
    ...(size === undefined ? [] : [tmpfsSizeOption(size, fail)]),
    ...(mode === undefined ? [] : [tmpfsOption(`mode=${mode}`, fail)]),
  ];
}

interface BindParts extends Omit<Extract<MountRequest, { kind: "bind" }>, "kind" | "propagation"> {
  readonly propagation: string | undefined;
}

function bind({ propagation, ...parts }: BindParts): MountRequest {
  return { kind: "bind", ...parts, ...(propagation === undefined ? {} : { propagation }) };
}

function looksLikePath(text: string): boolean {
  return text.startsWith("/") || /^\.{1,2}(?:\/|$)/.test(text);
}

/** What does not look like a path is a volume's name (docker); so may a typing error be, hence the hint in the reason. */
function volumeName(text: string, fail: Fail): string {
  if (text === "") return fail("the source is empty");
  if (isVolumeName(text)) return text;
  return fail(
    `"${text}" is no name of a volume (letters, digits, _ . -, two at least); for a directory write ./${text}`,
  );
}

function cleanTarget(text: string, fail: Fail): string {
  if (!text.startsWith("/")) return fail(`the target "${text}" is not an absolute path`);
  const target = posix.resolve(text);
  return target === "/" ? fail("the target is the root of the box itself") : target;
}
