/** Who the box's process is: `USER[:GROUP]` looked up in the image, by the rules of docker (moby/sys/user, GetExecUserPath). */
import { DevboxError } from "../core/errors.ts";

export interface BoxUser {
  readonly uid: number;
  readonly gid: number;
  /** With `gid` in front, as /etc/group lists them; `gid` alone where the group was given. */
  readonly additionalGids: readonly number[];
  /** Absolute; "/" where /etc/passwd does not say. */
  readonly home: string;
}

/** The image's files; undefined: it has none. */
export interface AccountFiles {
  readonly passwd: string | undefined;
  readonly group: string | undefined;
}

/** Beyond it a number is no uid for docker either; the id map, checked later, is narrower. */
const MAX_ID = 2 ** 31 - 1;

/** NGROUPS_MAX (limits.h): setgroups(2) takes no more. */
const MAX_GROUPS = 65536;

/**
 * Find a user. Empty: uid 0. A number needs no entry; a name does. Where no group is given, it is the user's own and
 * those that list the user.
 * @throws USER_NOT_FOUND.
 */
export function resolveUser(spec: string, files: AccountFiles): BoxUser {
  const [userPart = "", groupPart = ""] = spec.split(":");
  const step = `find the user "${spec}" of the box`;
  const account = findAccount(userPart, files.passwd ?? "");
  const uid = account?.uid ?? parseId(userPart === "" ? "0" : userPart);
  if (uid === undefined) {
    const because = `${files.passwd === undefined ? "the image has no /etc/passwd, so no user" : "the image's /etc/passwd has no user"} "${userPart}"`;
    throw new DevboxError("USER_NOT_FOUND", { step, because });
  }
  const home = account === undefined || !account.home.startsWith("/") ? "/" : account.home;
  if (groupPart !== "") {
    const gid = findGroup(groupPart, files, step);
    return { uid, gid, additionalGids: [gid], home };
  }
  const gid = account?.gid ?? 0;
  const further = account === undefined ? [] : groupsOf(account.name, files.group ?? "");
  // The own group is listed too, so that a file closed to it stays closed (CVE-2022-36109).
  return { uid, gid, additionalGids: [...new Set([gid, ...further])].slice(0, MAX_GROUPS), home };
}

/** Find a group by name or number; a number needs no entry. @throws USER_NOT_FOUND. */
export function resolveGroup(group: string, files: AccountFiles): number {
  return findGroup(group, files, `find the group "${group}" of the box`);
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** The first entry of passwd(5) for a name, or for a number where the part is one: a number never means a name. */
function findAccount(part: string, passwd: string): Account | undefined {
  const wanted = parseId(part === "" ? "0" : part);
  for (const line of passwd.split("\n")) {
    const [name = "", , uidText = "", gidText = "", , home = ""] = line.trim().split(":");
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    if (uid === undefined || gid === undefined) continue;
    if (wanted === undefined ? name === part : uid === wanted) return { name, uid, gid, home };
  }
  return undefined;
}

function findGroup(part: string, { group }: AccountFiles, step: string): number {
  const number = parseId(part);
  if (number !== undefined) return number;
  for (const { name, gid } of groupEntries(group ?? "")) if (name === part) return gid;
  const because = `the image ${group === undefined ? "has no /etc/group, so no" : "has in /etc/group no"} group "${part}"`;
  throw new DevboxError("USER_NOT_FOUND", {
    step,
    because,
    hint: "give the group by number, or one that is in the image's /etc/group",
  });
}

function groupsOf(userName: string, group: string): number[] {
  const gids: number[] = [];
  for (const { gid, members } of groupEntries(group)) if (members.split(",").includes(userName)) gids.push(gid);
  return gids;
}

/** Entries of group(5); malformed ones are passed over. */
function* groupEntries(group: string): Generator<{ name: string; gid: number; members: string }> {
  for (const line of group.split("\n")) {
    const [name = "", , gidText = "", members = ""] = line.trim().split(":");
    const gid = parseId(gidText);
    if (gid !== undefined) yield { name, gid, members };
  }
}

function parseId(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}
