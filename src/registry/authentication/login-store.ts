/** Where logins are kept: in a credential helper where the file says so, else in the file (docker-login(1)). */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readFile, readlink, realpath, rename, stat, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError, errnoName } from "../../core/errors.ts";
import { isDockerHub } from "../http/endpoint.ts";
import { withEntry, withoutEntry } from "./credential-edit.ts";
import { type CredentialFile, credentialKeys, helperFor, normalizeKey, readCredentialFile } from "./credential-file.ts";
import { eraseFromHelper, listOfHelper, programOf, storeInHelper } from "./credential-helper.ts";
import { type Credentials, credentialPaths, credentialsIn, type PasswordCredentials } from "./credentials.ts";

/** What a login is for: a registry, or a namespace in it (containers-auth.json(5)). */
export interface LoginName {
  /** `quay.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** `team/app`; "": the whole registry. */
  readonly namespace: string;
}

/** The file that a login goes to: the one that is named, or docker's. */
export function loginPath(env: Context["env"], authFile: string | undefined): string {
  const docker = join(env["DOCKER_CONFIG"] || join(env["HOME"] || homedir(), ".docker"), "config.json");
  return authFile ?? (env["REGISTRY_AUTH_FILE"] || docker);
}

/**
 * Keep a login, in the place of what was there for the same name.
 * @returns the file or the helper that has it now
 * @throws DevboxError BAD_CONFIG where the file cannot be read or written, REGISTRY_AUTH where the helper fails
 */
export async function storeLogin(
  context: Context,
  path: string,
  name: LoginName,
  { username, password }: PasswordCredentials,
): Promise<string> {
  const file = await readCredentialFile(path);
  const helper = file === undefined ? undefined : helperFor(file, keysOf(name));
  if (file !== undefined && helper !== undefined) {
    await storeInHelper(context, helper, { server: keyOf(name), username, password });
    // A password in the file from before would be old now, and read by those who know no helpers.
    if (hasEntry(file, name)) await edit(path, (text) => withoutEntry(text, keyOf(name), path));
    return programOf(helper);
  }
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  await edit(path, (text) => withEntry(text, { key: keyOf(name), auth }, path));
  return path;
}

/**
 * Forget a login, wherever it is looked for.
 * @param paths those files
 * @returns the files and helpers that had it
 */
export async function eraseLogin(
  context: Context,
  paths: readonly string[],
  name: LoginName,
): Promise<readonly string[]> {
  const had: string[] = [];
  for (const path of paths) {
    const file = await readCredentialFile(path);
    if (file === undefined) continue;
    const helper = helperFor(file, keysOf(name));
    if (helper !== undefined && (await eraseFromHelper(context, helper, keyOf(name)))) had.push(programOf(helper));
    if (!hasEntry(file, name)) continue;
    await edit(path, (text) => withoutEntry(text, keyOf(name), path));
    had.push(path);
  }
  return had;
}

/** Who is logged in: in the file that is named, or where a pull would find it. @throws BAD_CONFIG */
export async function findLogin(
  context: Context,
  name: LoginName,
  authFile: string | undefined,
): Promise<Credentials | undefined> {
  for (const path of logoutPaths(context.env, authFile)) {
    const file = await readCredentialFile(path);
    const found = file === undefined ? undefined : await credentialsIn(context, file, name.registry, keysOf(name));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Every login of these files and of the helpers that they name, as they are written there. */
export async function listLogins(context: Context, paths: readonly string[]): Promise<readonly LoginName[]> {
  const keys = new Set<string>();
  for (const path of paths) {
    const file = await readCredentialFile(path);
    if (file === undefined) continue;
    for (const key of [...Object.keys(file.auths), ...Object.keys(file.credHelpers)]) keys.add(normalizeKey(key));
    if (file.credsStore === undefined || file.credsStore === "") continue;
    for (const server of await listOfHelper(context, file.credsStore)) keys.add(normalizeKey(server));
  }
  return [...keys].map((key) => {
    const [registry = "", ...rest] = key.split("/");
    return { registry, namespace: rest.join("/") };
  });
}

/** The files in which a logout looks: all that a pull reads, or the one that is named. */
export function logoutPaths(env: Context["env"], authFile: string | undefined): readonly string[] {
  return authFile === undefined ? credentialPaths(env) : [authFile];
}

/** docker keeps its Hub under this old name; podman and skopeo read it as docker.io. */
function keyOf({ registry, namespace }: LoginName): string {
  if (isDockerHub(registry) && namespace === "") return "https://index.docker.io/v1/";
  return nameOf({ registry, namespace });
}

/** As people write it. */
export function nameOf({ registry, namespace }: LoginName): string {
  return namespace === "" ? registry : `${registry}/${namespace}`;
}

function keysOf({ registry, namespace }: LoginName): readonly string[] {
  return credentialKeys(registry, namespace).filter((key) => !key.endsWith("/"));
}

function hasEntry({ auths }: CredentialFile, name: LoginName): boolean {
  const wanted = normalizeKey(keyOf(name));
  return Object.keys(auths).some((key) => normalizeKey(key) === wanted);
}

/** Read, change and replace a file: wholly or not at all. `change` answers undefined where nothing is to be done. */
async function edit(path: string, change: (text: string) => string | undefined): Promise<void> {
  try {
    const target = await followLinks(path);
    const text = await readText(target);
    const changed = change(text);
    if (changed !== undefined && changed !== text) await replace(target, changed);
  } catch (cause) {
    if (cause instanceof DevboxError) throw cause;
    const hint = "check who may write there, or choose another file: --authfile FILE";
    throw new DevboxError("BAD_CONFIG", { step: `write ${path}`, cause, hint });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoName(error) === "ENOENT") return "";
    throw error;
  }
}

/** The file itself, where a link stands for it: people keep such files elsewhere, and the link is to stay. */
async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoName(error) !== "ENOENT") throw error;
  }
  try {
    return resolve(dirname(path), await readlink(path));
  } catch {
    return resolve(path); // it is not there yet
  }
}

/** Written beside, on disk, then renamed. Passwords are for the owner alone, who stays the same also where root writes. */
async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  const owner = await stat(path).catch(() => undefined);
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    try {
      if (owner !== undefined && process.getuid?.() === 0) await file.chown(owner.uid, owner.gid);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}
