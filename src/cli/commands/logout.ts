/** devbox logout: forget logins. */
import type { Context } from "../../core/context.ts";
import { DevboxError } from "../../core/errors.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { loginName } from "../login-name.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "logout", description: "Forget the login at a registry" },
  args: {
    registry: { type: "positional", required: false, description: "HOST[:PORT][/NAMESPACE]; default: docker.io" },
    all: { type: "boolean", alias: "a", description: "All logins" },
    authfile: {
      type: "string",
      valueHint: "FILE",
      completes: "files",
      description: "Forget what this file has; default: what a pull would find",
    },
    ...everyCommand,
  },
  examples: [["devbox logout ghcr.io", "in docker's file, podman's, and the helpers that they name"]],
  async run(values) {
    using context = openContext({ debug: values.debug });
    if (values.all && values.registry !== undefined) {
      throw new DevboxError("USAGE", { step: "log out", because: "--all is for all registries, and one is named" });
    }
    const { listLogins, logoutPaths } = await import("../../registry/authentication/login-store.ts");
    const paths = logoutPaths(context.env, values.authfile);
    const names = values.all ? await listLogins(context, paths) : [loginName(values.registry)];
    for (const name of names) await forget(context, paths, name);
    return 0;
  },
});

/** Nothing to forget is no failure, as in docker. */
async function forget(context: Context, paths: readonly string[], name: ReturnType<typeof loginName>): Promise<void> {
  const { eraseLogin, nameOf } = await import("../../registry/authentication/login-store.ts");
  const had = await eraseLogin(context, paths, name);
  if (had.length === 0) context.log.warn(`not logged in at ${nameOf(name)}`);
  else writeOut(`Removed the login at ${nameOf(name)} from ${had.join(", ")}\n`);
}
