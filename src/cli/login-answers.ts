/** User and password of `devbox login`: from the command line, from stdin, or asked for on the terminal. */
import type { Context } from "../core/context.ts";
import { DevboxError } from "../core/errors.ts";
import { askLine } from "./ui/prompt.ts";
import { isTerminal } from "./ui/terminal.ts";

export interface LoginFlags {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly "password-stdin": boolean | undefined;
}

/**
 * @param before who is logged in now: taken where nothing is typed
 * @throws DevboxError USAGE where something is missing, and nobody can be asked
 */
export async function readAnswers(
  context: Context,
  flags: LoginFlags,
  before: string | undefined,
): Promise<{ readonly username: string; readonly password: string }> {
  const username = flags.username ?? (await askUser(context, flags, before));
  // user:password is how it is sent and stored (RFC 7617 section 2).
  if (username === "" || username.includes(":")) return fail("a user name is not empty, and has no colon");
  const password = await readPassword(context, flags);
  return { username, password: password || fail("no password was given") };
}

async function askUser(context: Context, flags: LoginFlags, before: string | undefined): Promise<string> {
  if (flags["password-stdin"]) return fail("--password-stdin needs --username");
  requireTerminal();
  const question = before === undefined ? "Username: " : `Username (${before}): `;
  return (await askLine(context, question, { hidden: false })) || (before ?? fail("no user name was given"));
}

async function readPassword(context: Context, flags: LoginFlags): Promise<string | undefined> {
  const { password } = flags;
  if (password !== undefined) {
    if (flags["password-stdin"]) return fail("--password and --password-stdin exclude each other");
    context.log.warn("a password on the command line is seen by others: use --password-stdin");
    return password;
  }
  // Without the newline that `echo` puts behind it, as docker has it.
  if (flags["password-stdin"]) return (await Bun.stdin.text()).replace(/\r?\n$/, "");
  requireTerminal();
  return askLine(context, "Password: ", { hidden: true });
}

function requireTerminal(): void {
  if (isTerminal(0)) return;
  const because = "there is no terminal to ask on";
  throw new DevboxError("USAGE", { step: "log in", because, hint: "give --username and --password-stdin" });
}

function fail(because: string): never {
  throw new DevboxError("USAGE", { step: "log in", because, hint: "see: devbox login --help" });
}
