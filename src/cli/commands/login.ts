/** devbox login: who the user is at a registry. */
import type { Context } from "../../core/context.ts";
import type { LoginName } from "../../registry/authentication/login-store.ts";
import { defineCommand, everyCommand } from "../command.ts";
import { loginName } from "../login-name.ts";
import { openContext } from "../ui/context.ts";
import { writeOut } from "../ui/output.ts";

export default defineCommand({
  meta: { name: "login", description: "Log in at a registry" },
  args: {
    registry: { type: "positional", required: false, description: "HOST[:PORT][/NAMESPACE]; default: docker.io" },
    username: { type: "string", alias: "u", valueHint: "USER", description: "Default: asked for" },
    password: {
      type: "string",
      alias: "p",
      valueHint: "PASSWORD",
      description: "Seen by others in ps; default: asked for",
    },
    "password-stdin": { type: "boolean", description: "Read the password from stdin" },
    "tls-verify": {
      type: "boolean",
      default: true,
      description: "Verify certificates, and speak https with all but loopback",
      negativeDescription: "Accept any certificate, and plain http",
    },
    authfile: {
      type: "string",
      valueHint: "FILE",
      completes: "files",
      description: "Keep it there; default: $REGISTRY_AUTH_FILE, or docker's config.json",
    },
    "get-login": { type: "boolean", description: "Print who is logged in, and do nothing" },
    ...everyCommand,
  },
  examples: [
    ["devbox login ghcr.io", "asks for user and password"],
    ["pass registry | devbox login -u me --password-stdin registry.example.com:5000", "in a script"],
  ],
  notes: [
    "The registry is asked first; what it refuses is not kept.",
    "The password goes to the credential helper that the file names (credHelpers, credsStore), else into\nthe file, which only its owner can read. docker, podman and skopeo read it too.",
  ],
  async run(values) {
    using context = openContext({ debug: values.debug });
    const name = loginName(values.registry);
    if (values["get-login"]) return await printLogin(context, name, values.authfile);
    const { loginPath, storeLogin } = await import("../../registry/authentication/login-store.ts");
    const { readAnswers } = await import("../login-answers.ts");
    const { checkLogin } = await import("../../registry/authentication/login.ts");
    const { isInsecureRegistry } = await import("../../registry/configuration/places.ts");
    const { readRegistriesConf } = await import("../../registry/configuration/registries-conf-files.ts");
    const path = loginPath(context.env, values.authfile);
    const before = values.username ?? (await currentLogin(context, name, values.authfile))?.username;
    const { username, password } = await readAnswers(context, values, before);
    const credentials = { kind: "password", username, password, source: "the command line" } as const;
    const insecure = isInsecureRegistry(name.registry, readRegistriesConf(context.env));
    const tlsVerify = values["tls-verify"] && !insecure;
    await checkLogin(context, { registry: name.registry, credentials, tlsVerify });
    const keeper = await storeLogin(context, path, name, credentials);
    writeOut("Login Succeeded!\n");
    context.log.info(`the password is kept ${keeper === path ? "in" : "by"} ${keeper}`);
    if (values.authfile === undefined) await warnOfOther(context, name, keeper);
    return 0;
  },
});

/** Exit status 1 where nobody is, as podman's. */
async function printLogin(context: Context, name: LoginName, authFile: string | undefined): Promise<number> {
  const login = await currentLogin(context, name, authFile);
  if (login !== undefined) {
    writeOut(`${login.username}\n`);
    return 0;
  }
  const { nameOf } = await import("../../registry/authentication/login-store.ts");
  context.log.warn(`not logged in at ${nameOf(name)}`);
  return 1;
}

async function currentLogin(context: Context, name: LoginName, authFile: string | undefined) {
  const { findLogin } = await import("../../registry/authentication/login-store.ts");
  const login = await findLogin(context, name, authFile);
  return login === undefined
    ? undefined
    : { source: login.source, username: login.kind === "password" ? login.username : "<token>" };
}

/** What is read before ours goes before it: a login of podman's in its own file. */
async function warnOfOther(context: Context, name: LoginName, keeper: string): Promise<void> {
  const login = await currentLogin(context, name, undefined);
  if (login === undefined || login.source === keeper) return;
  context.log.warn(`${login.source} has another login for it, which goes before this one: devbox logout forgets both`);
}
