/** Taking secrets out of what goes into the support archive. When in doubt, out. */

const redacted = "[redacted]";

/** Words in the names of settings whose values are secrets. */
const secretName = /auth|token|passw|secret|credential|cookie|session|api.?key|private.?key|access.?key|signature/i;

/** Variables whose values help and tell nothing: what devbox and its helpers read. */
const harmlessVariables =
  /^(PATH|HOME|SHELL|TERM|LANG|LC_[A-Z]+|TMPDIR|USER|LOGNAME|NO_COLOR|CI|container|XDG_[A-Z_]+|DEVBOX_[A-Z_]+|REGISTRY_AUTH_FILE|DOCKER_CONFIG|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL)_PROXY)$/i;

/** All names; values of the harmless ones only, and of those no passwords in URLs. */
export function redactEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(env).map(([name, value]): [string, string] => {
    const isHarmless = harmlessVariables.test(name) && !(secretName.test(name) && name !== "REGISTRY_AUTH_FILE");
    return [name, isHarmless ? redactText(value ?? "") : redacted];
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Plain text: names and passwords in URLs, values of assignments to names that sound secret (`password = "x"`,
 * `token: x`, `pass=x,` among mount options), and headers of authorization.
 */
export function redactText(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, `$1${redacted}@`)
    .replaceAll(/\b(bearer|basic)\s+[a-z0-9+/=._~-]+/gi, `$1 ${redacted}`)
    .replaceAll(/([\w.-]+)("?\s*[=:]\s*)("[^"\n]*"|'[^'\n]*'|[^\s,;"']+)/g, (all, name: string, between: string) =>
      secretName.test(name) || /^pass$/i.test(name) ? `${name}${between}${redacted}` : all,
    );
}

/** Keys of docker's config.json and containers' auth.json that name registries and helpers, never secrets. */
const containers = new Set(["auths", "credsStore", "credHelpers"]);

/** JSON: the shape stays, so that one sees which registries have credentials, and of which kind. */
export function redactJson(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => redactJson(item, name));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redactJson(inner, nameBelow(name, key))]),
    );
  }
  if (typeof value !== "string") return value;
  return !containers.has(name) && secretName.test(name) ? redacted : redactText(value);
}

/** What stands below a secret name is secret (`HttpHeaders` hold authorization), what stands below a container is not by that. */
function nameBelow(parent: string, key: string): string {
  if (containers.has(key)) return key;
  if (parent === "auths") return "";
  if (parent === "credHelpers") return parent;
  return secretName.test(parent) || /^(http)?headers$/i.test(key) ? "secret" : key;
}

/** A file that should be JSON: redacted; when it is not, only its size is told, for no rule can be trusted with it. */
export function redactJsonText(text: string): string {
  try {
    return `${JSON.stringify(redactJson(JSON.parse(text)), undefined, 2)}\n`;
  } catch {
    return `not JSON, ${text.length} characters\n`;
  }
}
