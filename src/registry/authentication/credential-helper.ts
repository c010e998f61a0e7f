/** Credential helpers: programs `docker-credential-NAME` that keep passwords in a key ring (docker-credential-helpers protocol). */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { member, parseJson, readString, readStringMap } from "../../oci/json.ts";
import type { Credentials } from "./credentials.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;

const missingHint =
  "install it or start what it needs, or take its name out of the credentials file (credsStore, credHelpers)";

/** What a helper prints on stdout, with a failing status, when it does not know the server. */
const notFoundMessages: readonly string[] = [
  "credentials not found",
  "no credentials server URL",
  "no credentials username",
];

export function programOf(name: string): string {
  return `docker-credential-${name}`;
}

/**
 * Ask `docker-credential-NAME get`; the server's name goes to its stdin. undefined: it has none.
 * @throws REGISTRY_AUTH where the helper is missing or fails.
 */
export async function askCredentialHelper(
  context: Context,
  name: string,
  server: string,
): Promise<Credentials | undefined> {
  const program = programOf(name);
  const step = `ask the credential helper ${program}`;
  const answer = await callHelper(context, name, { verb: "get", input: server, step });
  return answer === undefined ? undefined : parseAnswer(answer, step, program);
}

export interface HelperEntry {
  readonly server: string;
  readonly username: string;
  readonly password: string;
}

/** `store`. @throws REGISTRY_AUTH where the helper is missing or fails. */
export async function storeInHelper(context: Context, name: string, entry: HelperEntry): Promise<void> {
  const step = `store the login in ${programOf(name)}`;
  const { server, username, password } = entry;
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  const answer = await callHelper(context, name, { verb: "store", input, step });
  if (answer === undefined)
    throw new DevboxError("REGISTRY_AUTH", { step, because: "it says that it has no such entry" });
}

/** `erase`. Some helpers fail for what they do not have, others do not, so they are asked before. @returns whether it had one */
export async function eraseFromHelper(context: Context, name: string, server: string): Promise<boolean> {
  if ((await askCredentialHelper(context, name, server)) === undefined) return false;
  const step = `take the login out of ${programOf(name)}`;
  return (await callHelper(context, name, { verb: "erase", input: server, step })) !== undefined;
}

/** `list`: the servers that it has logins for. */
export async function listOfHelper(context: Context, name: string): Promise<readonly string[]> {
  const step = `list the logins of ${programOf(name)}`;
  const answer = await callHelper(context, name, { verb: "list", input: "", step });
  if (answer === undefined) return [];
  return Object.keys(readStringMap(parseJson(answer, { code: "REGISTRY_AUTH", step }, MAX_ANSWER_BYTES)));
}

interface HelperCall {
  readonly verb: "get" | "store" | "erase" | "list";
  readonly input: string;
  readonly step: string;
}

/**
 * What it prints; undefined: it does not know the server. What goes in and comes out is secret: nothing of it gets into an
 * error, except of the known messages.
 */
async function callHelper(
  context: Context,
  name: string,
  { verb, input, step }: HelperCall,
): Promise<Uint8Array | undefined> {
  // A name from a file must not lead to a program that is elsewhere than on PATH.
  const path = name.includes("/") ? null : Bun.which(programOf(name), { PATH: context.env["PATH"] ?? "" });
  if (path === null) throw new DevboxError("REGISTRY_AUTH", { step, because: "it is not on PATH", hint: missingHint });
  const child = Bun.spawn([path, verb], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "ignore",
    env: { ...context.env },
    signal: context.signal,
    maxBuffer: MAX_ANSWER_BYTES,
  });
  const answer = await child.stdout.bytes();
  const status = await child.exited;
  if (status === 0) return answer;
  const text = new TextDecoder().decode(answer);
  if (notFoundMessages.some((message) => text.includes(message))) return undefined;
  throw new DevboxError("REGISTRY_AUTH", { step, because: `it failed with status ${status}`, hint: missingHint });
}

function parseAnswer(answer: Uint8Array, step: string, program: string): Credentials | undefined {
  const root = parseJson(answer, { code: "REGISTRY_AUTH", step }, MAX_ANSWER_BYTES);
  const username = readString(member(root, "Username"));
  const secret = readString(member(root, "Secret"));
  if (username === "<token>") return { kind: "identity-token", token: secret, source: program };
  return username === "" ? undefined : { kind: "password", username, password: secret, source: program };
}
