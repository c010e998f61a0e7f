/**
 * What this laptop has, read from a few small files: on the way of every `run`, so nothing is started, awaited or probed.
 */
import { existsSync, statSync } from "node:fs";
import { os } from "../core/os.ts";
import { readTextOrNothing } from "../core/read-text.ts";
import type { HostFacts, IdRange } from "./facts.ts";

/** Where each thing is looked up: a test names its own. */
export interface FactSources {
  readonly passwd: string;
  readonly subuid: string;
  readonly subgid: string;
  /** Directory with our own uid_map, gid_map and status. */
  readonly maps: string;
}

const system: FactSources = {
  passwd: "/etc/passwd",
  subuid: "/etc/subuid",
  subgid: "/etc/subgid",
  maps: "/proc/self",
};

/** Reads the facts about the calling user and this machine. `env`: HOME and PATH count. */
export function readHostFacts(
  env: Readonly<Record<string, string | undefined>>,
  sources: FactSources = system,
): HostFacts {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const account = findAccount(readTextOrNothing(sources.passwd), uid) ?? askNameService(uid);
  const { HOME, PATH } = env;
  const directories = helperDirectories(PATH);
  return {
    architecture: process.arch === "arm64" ? "aarch64" : "x86_64",
    uid,
    gid,
    userName: account.name,
    home: HOME || account.home,
    subuids: parseSubIds(readTextOrNothing(sources.subuid), account.name, uid),
    subgids: parseSubIds(readTextOrNothing(sources.subgid), account.name, uid),
    ownUids: uid === 0 ? parseOwnIds(readTextOrNothing(`${sources.maps}/uid_map`)) : [],
    ownGids: uid === 0 ? parseOwnIds(readTextOrNothing(`${sources.maps}/gid_map`)) : [],
    ...(uid === 0 ? ownCapabilities(readTextOrNothing(`${sources.maps}/status`)) : {}),
    helpers: {
      newuidmap: findHelper("newuidmap", directories),
      newgidmap: findHelper("newgidmap", directories),
      slirp4netns: findHelper("slirp4netns", directories),
    },
  };
}

interface Account {
  readonly name: string;
  readonly home: string;
}

/** The line of passwd(5) with this uid. */
export function findAccount(passwd: string, uid: number): Account | undefined {
  for (const line of passwd.split("\n")) {
    const [name, , id, , , home] = line.split(":");
    if (id === String(uid) && name !== undefined && name !== "") return { name, home: home || "/" };
  }
  return undefined;
}

/** Accounts of LDAP and the like are not in the file; the C library asks them, which may take its time. */
function askNameService(uid: number): Account {
  try {
    const { username, homedir } = os().userInfo();
    return { name: username, home: homedir };
  } catch {
    return { name: String(uid), home: "/" };
  }
}

const maxId = 2 ** 32 - 2;

/** proc_pid_status(5). */
function ownCapabilities(status: string): Pick<HostFacts, "capabilities"> {
  const digits = /^CapPrm:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return digits === undefined ? {} : { capabilities: BigInt(`0x${digits}`) };
}

/**
 * The ranges of a user in subuid(5) or subgid(5), in file order; lines name the user by login name or uid, in both files.
 * Malformed lines grant nothing, as for newuidmap.
 */
export function parseSubIds(text: string, userName: string, uid: number): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split("\n")) {
    const match = /^([^:#]+):([0-9]+):([0-9]+)\s*$/.exec(line);
    if (match === null || (match[1] !== userName && match[1] !== String(uid))) continue;
    const [start, count] = [Number(match[2]), Number(match[3])];
    if (count > 0 && start + count - 1 <= maxId) ranges.push({ start, count });
  }
  return ranges;
}

/** The ids of this namespace in a uid_map or gid_map: lines of `INSIDE OUTSIDE COUNT`. */
export function parseOwnIds(text: string): IdRange[] {
  return text.split("\n").flatMap((line) => {
    const [, start, count] = /^\s*(\d+)\s+\d+\s+(\d+)\s*$/.exec(line) ?? [];
    return start === undefined || count === undefined ? [] : [{ start: Number(start), count: Number(count) }];
  });
}

/** PATH, then where Debian keeps programs for administrators, which an ordinary user's PATH lacks. */
function helperDirectories(path: string | undefined): string[] {
  const listed = (path ?? "").split(":").filter((directory) => directory.startsWith("/"));
  return [...new Set([...listed, "/usr/bin", "/usr/sbin", "/sbin"])];
}

/** The first executable file of this name; relative PATH entries do not count. */
function findHelper(name: string, directories: readonly string[]): string | undefined {
  return directories.map((directory) => `${directory}/${name}`).find((path) => existsSync(path) && isProgram(path)); // existsSync: a directory closed to us has no helpers for us
}

function isProgram(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
}
