/**
 * Who the user is at a registry: looked up where docker and podman log in, in the order of containers-auth.json(5).
 * Only asked after a registry has refused an anonymous request. Never logged.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Context } from "../../core/context.ts";
import { DevboxError, describeCause } from "../../core/errors.ts";
import { isDockerHub } from "../http/endpoint.ts";
import { interrupted } from "../http/transport-error.ts";
import { type CredentialFile, credentialKeys, entryFor, helperFor, readCredentialFile } from "./credential-file.ts";
import { askCredentialHelper } from "./credential-helper.ts";

/** `source` names the file or helper, for errors. */
export type Credentials =
  | PasswordCredentials
  | { readonly kind: "identity-token"; readonly token: string; readonly source: string };

export interface PasswordCredentials {
  readonly kind: "password";
  readonly username: string;
  readonly password: string;
  readonly source: string;
}

/** Candidate files, first match wins. Only `$REGISTRY_AUTH_FILE` must be there, as the user named it. */
export function credentialPaths(env: Context["env"]): readonly string[] {
  const home = env["HOME"] || homedir();
  const runtime = env["XDG_RUNTIME_DIR"] || `/run/containers/${process.getuid?.() ?? 0}`;
  return [
    env["REGISTRY_AUTH_FILE"] || join(runtime, "containers/auth.json"),
    join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers/auth.json"),
    join(env["DOCKER_CONFIG"] || join(home, ".docker"), "config.json"),
  ];
}

/**
 * The credentials for an image, or undefined: the user is nobody there. A file that cannot be read is warned of and
 * passed over, so that a broken one does not stand in the way of public images.
 * @throws BAD_CONFIG where `$REGISTRY_AUTH_FILE` cannot be read.
 */
export async function findCredentials(
  context: Context,
  registry: string,
  repository: string,
): Promise<Credentials | undefined> {
  const keys = credentialKeys(registry, repository);
  for (const path of credentialPaths(context.env)) {
    const file = await readQuietly(context, path);
    if (file === undefined) continue;
    const found = await credentialsIn(context, file, registry, keys);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What one file knows, by its helper or by itself. `keys` as of `credentialKeys`. */
export async function credentialsIn(
  context: Context,
  file: CredentialFile,
  registry: string,
  keys: readonly string[],
): Promise<Credentials | undefined> {
  return (await askHelper(context, file, registry, keys)) ?? entryFor(file, keys);
}

async function readQuietly(context: Context, path: string): Promise<CredentialFile | undefined> {
  const isExplicit = path === context.env["REGISTRY_AUTH_FILE"];
  try {
    const file = await readCredentialFile(path);
    if (file !== undefined || !isExplicit) return file;
  } catch (error) {
    if (isExplicit) throw error;
    context.log.warn("credentials file passed over", { because: describeCause(error) });
    return undefined;
  }
  const hint = "log in: devbox login --authfile FILE REGISTRY writes it; or name none";
  throw new DevboxError("BAD_CONFIG", { step: `read the credentials file ${path}`, because: "it is not there", hint });
}

async function askHelper(
  context: Context,
  file: CredentialFile,
  registry: string,
  keys: readonly string[],
): Promise<Credentials | undefined> {
  const helper = helperFor(file, keys);
  if (helper === undefined) return undefined;
  // docker login keeps its Hub password under this old name.
  const server = isDockerHub(registry) ? "https://index.docker.io/v1/" : registry;
  try {
    return await askCredentialHelper(context, helper, server);
  } catch (error) {
    if (context.signal.aborted) throw interrupted(context.signal, `log in at ${registry}`);
    context.log.warn("credential helper passed over", { helper, because: describeCause(error) });
    return undefined;
  }
}
