/** The environment of a box by docker's rules: defaults, the image's Env over them, the user's over both. */

/** moby, daemon/oci_linux.go (DefaultPathEnv). */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvironmentInput {
  readonly imageEnv: readonly string[];
  /** `KEY=VALUE`, later wins; a bare `KEY` takes the variable away. */
  readonly requested: readonly string[];
  readonly hostname: string;
  readonly home: string;
  readonly tty: boolean;
}

/** `KEY=VALUE` entries, each key once, in the order of first mention. */
export function boxEnvironment(input: EnvironmentInput): string[] {
  const variables = new Map<string, string>([
    ["PATH", DEFAULT_PATH],
    ["HOSTNAME", input.hostname],
    // Programs ask whether they are in a container by this variable (systemd.io/CONTAINER_INTERFACE); the value names us.
    ["container", "devbox"],
  ]);
  if (input.tty) variables.set("TERM", "xterm");
  for (const entry of [...input.imageEnv, ...input.requested]) {
    const equals = entry.indexOf("=");
    if (equals === -1) variables.delete(entry);
    else if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  // An empty HOME counts as none, as in runc.
  if (!variables.get("HOME")) variables.set("HOME", input.home);
  return [...variables].map(([key, value]) => `${key}=${value}`);
}

/** The value of a variable in a list of `KEY=VALUE`. */
export function environmentValue(environment: readonly string[], key: string): string | undefined {
  return environment.findLast((entry) => entry.startsWith(`${key}=`))?.slice(key.length + 1);
}
