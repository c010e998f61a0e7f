/** `-e` and `--env-file` as docker reads them (docker/cli, opts/env.go and opts/file.go). */
import { DevboxError } from "../core/errors.ts";

type HostEnv = Readonly<Record<string, string | undefined>>;

/**
 * `KEY=VALUE` as it is; `KEY` with the value that it has here. Not set here: the bare `KEY`, which takes the image's
 * variable away. @throws USAGE.
 */
export function parseEnvFlag(text: string, env: HostEnv): string {
  if (text === "" || text.startsWith("=")) {
    throw new DevboxError("USAGE", { step: `read --env ${JSON.stringify(text)}`, because: "the variable has no name" });
  }
  if (text.includes("=")) return text;
  const value = env[text];
  return value === undefined ? text : `${text}=${value}`;
}

/**
 * The lines of an env file: `KEY=VALUE` with the value taken as it is (no quotes, no expansion), `KEY` for the value
 * that it has here (left out where there is none), comments from "#" at the start of a line.
 * @throws USAGE naming file and line.
 */
export function parseEnvFile(text: string, env: HostEnv, file: string): string[] {
  const entries: string[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const fail = (because: string): never => {
      throw new DevboxError("USAGE", { step: `read --env-file ${file}, line ${index + 1}`, because });
    };
    const equals = line.indexOf("=");
    const key = equals === -1 ? line.trimEnd() : line.slice(0, equals);
    if (key === "") fail("the variable has no name");
    if (/\s/.test(key)) fail(`the name "${key}" contains white space`);
    if (line.includes("\0")) fail("it contains a NUL byte");
    if (equals !== -1) entries.push(line);
    else if (env[key] !== undefined) entries.push(`${key}=${env[key]}`);
  }
  return entries;
}
