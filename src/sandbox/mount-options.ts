/**
 * Mount options as strings (runtime-spec config.md "Linux mount options"; mount(8)) → what the new mount calls take:
 * attributes of the mount (mount_setattr(2)), propagation, flags and parameters of the file system (fsconfig(2)).
 */
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "../../ffi/constants.ts";
import type { RootfsPropagation } from "../oci/runtime.ts";

export interface MountAttributes {
  /** MOUNT_ATTR_* to set and to clear on the mount itself. */
  readonly set: number;
  readonly clear: number;
  /** The same for the whole tree below a recursive bind (`rro`, `rnosuid` …; since 5.12). */
  readonly setRecursive: number;
  readonly clearRecursive: number;
}

export interface MountOptions {
  readonly bind: boolean;
  /** `rbind`: with all mounts below the source. */
  readonly recursive: boolean;
  /** Change what is mounted there. */
  readonly remount: boolean;
  readonly attributes: MountAttributes;
  /** MS_SHARED and its kin, or 0; `propagationRecursive` for `rshared` and its kin. */
  readonly propagation: number;
  readonly propagationRecursive: boolean;
  /** `idmap`: of the mount, `ridmap`: of all mounts below as well; undefined: neither is there. */
  readonly idmap: "mount" | "tree" | undefined;
  /** `tmpcopyup`: a tmpfs begins with the content of the directory that it covers. */
  readonly copyUp: boolean;
  /** Flags that every file system knows: `sync`, `dirsync` and their kin, each once, with its opposite. */
  readonly flags: readonly string[];
  /** `key=value` or `key`: parameters that the file system itself reads. */
  readonly parameters: readonly string[];
}

/** option → [attribute bit, set or clear]. `atime`, `relatime` clear what is set: relatime is the kernel's default. */
const attributeOptions: Readonly<Record<string, readonly [bit: number, set: boolean]>> = {
  ro: [MOUNT_ATTR_RDONLY, true],
  rw: [MOUNT_ATTR_RDONLY, false],
  nosuid: [MOUNT_ATTR_NOSUID, true],
  suid: [MOUNT_ATTR_NOSUID, false],
  nodev: [MOUNT_ATTR_NODEV, true],
  dev: [MOUNT_ATTR_NODEV, false],
  noexec: [MOUNT_ATTR_NOEXEC, true],
  exec: [MOUNT_ATTR_NOEXEC, false],
  noatime: [MOUNT_ATTR_NOATIME, true],
  atime: [MOUNT_ATTR_NOATIME, false],
  relatime: [MOUNT_ATTR__ATIME, false],
  norelatime: [MOUNT_ATTR__ATIME, false],
  strictatime: [MOUNT_ATTR_STRICTATIME, true],
  nostrictatime: [MOUNT_ATTR_STRICTATIME, false],
  nodiratime: [MOUNT_ATTR_NODIRATIME, true],
  diratime: [MOUNT_ATTR_NODIRATIME, false],
  nosymfollow: [MOUNT_ATTR_NOSYMFOLLOW, true],
  symfollow: [MOUNT_ATTR_NOSYMFOLLOW, false],
};

/** Propagation types (mount_namespaces(7)) → MS_*. */
export const propagationOptions = {
  shared: MS_SHARED,
  slave: MS_SLAVE,
  private: MS_PRIVATE,
  unbindable: MS_UNBINDABLE,
} as const;

/** The flags of mount(2) for a propagation type; `rshared` and its kin mean all mounts below as well. */
export function propagationFlags(type: RootfsPropagation): number {
  const own = find<number>(propagationOptions, type);
  return own ?? MS_REC | (find<number>(propagationOptions, type.slice(1)) ?? 0);
}

/** Flags that fsconfig(2) takes for every file system (fs/fs_context.c), with their opposites. */
const flagOptions: Readonly<Record<string, "set" | "clear">> = {
  sync: "set",
  async: "clear",
  dirsync: "set",
  lazytime: "set",
  nolazytime: "clear",
  mand: "set",
  nomand: "clear",
};

const opposites: Readonly<Record<string, string>> = {
  sync: "async",
  async: "sync",
  lazytime: "nolazytime",
  nolazytime: "lazytime",
  mand: "nomand",
  nomand: "mand",
};

/**
 * Options that say nothing to the kernel here: defaults, hints for other tools, and flags of mount(2) that fsconfig(2)
 * has no words for. `silent` and `loud` are about the kernel's log; a change counter (`iversion`) is kept by the file
 * systems that have one, whatever is asked (ext4, xfs, btrfs, tmpfs).
 */
const ignoredOptions: ReadonlySet<string> = new Set([
  "defaults",
  "auto",
  "noauto",
  "nofail",
  "user",
  "users",
  "_netdev",
  "silent",
  "loud",
  "iversion",
  "noiversion",
]);

/** Reads the options of one mount of config.json; later options win over earlier ones. */
export function parseMountOptions(options: readonly string[], type: string | undefined): MountOptions {
  let bind = type === "bind" || type === "rbind";
  let recursive = type === "rbind";
  let remount = false;
  let copyUp = false;
  let idmap: MountOptions["idmap"];
  let propagation = 0;
  let propagationRecursive = false;
  const own = { set: 0, clear: 0 };
  const whole = { set: 0, clear: 0 };
  const flags = new Set<string>();
  const parameters: string[] = [];
  for (const option of options) {
    const deep = option.startsWith("r") && find(attributeOptions, option) === undefined;
    const plain = deep ? option.slice(1) : option;
    const attribute = find(attributeOptions, plain);
    const spread = find<number>(propagationOptions, plain);
    if (option === "bind" || option === "rbind") {
      bind = true;
      recursive ||= option === "rbind";
    } else if (option === "remount") remount = true;
    else if (option === "tmpcopyup") copyUp = true;
    else if (option === "idmap" || option === "ridmap") idmap = option === "idmap" ? "mount" : "tree";
    else if (attribute !== undefined) apply(deep ? whole : own, attribute);
    else if (spread !== undefined) [propagation, propagationRecursive] = [spread, deep];
    else if (find(flagOptions, option) !== undefined) {
      flags.delete(find(opposites, option) ?? "");
      flags.add(option);
    } else if (!ignoredOptions.has(option) && option !== "") parameters.push(option);
  }
  return {
    bind,
    recursive,
    remount,
    attributes: { set: own.set, clear: own.clear, setRecursive: whole.set, clearRecursive: whole.clear },
    propagation,
    propagationRecursive,
    idmap,
    copyUp,
    flags: [...flags],
    parameters,
  };
}

/** Every option that has a meaning here, sorted: what `features` lists (runtime-spec features.md "mountOptions"). */
export function knownMountOptions(): string[] {
  const attributes = Object.keys(attributeOptions);
  const spread = Object.keys(propagationOptions);
  return [
    ...["bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap"],
    ...["defaults", "silent", "loud", "iversion", "noiversion"],
    ...Object.keys(flagOptions),
    ...[...attributes, ...spread].flatMap((option) => [option, `r${option}`]),
  ].sort();
}

/** Only what the table itself says: options come from outside, and `constructor` is none. */
function find<T>(table: Readonly<Record<string, T>>, option: string): T | undefined {
  return Object.hasOwn(table, option) ? table[option] : undefined;
}

function apply(into: { set: number; clear: number }, [bit, set]: readonly [number, boolean]): void {
  // Access times are one field of several bits (mount_setattr(2) "MOUNT_ATTR__ATIME"): another value replaces it whole.
  const field = bit & MOUNT_ATTR__ATIME ? MOUNT_ATTR__ATIME : bit;
  into.set &= ~field;
  into.clear &= ~field;
  if (set) into.set |= bit;
  if (!set || field === MOUNT_ATTR__ATIME) into.clear |= field;
}
