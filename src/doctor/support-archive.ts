/** The support archive: what one needs to know of a machine to understand a report, without its secrets. */
import { writeFileSync } from "node:fs";
import { strToU8, zipSync } from "fflate";
import { DevboxError } from "../core/errors.ts";
import type { Finding, ProbeInput } from "./finding.ts";
import { redactEnvironment, redactJsonText, redactText } from "./redact.ts";

const sysctls = [
  "kernel/osrelease",
  "kernel/apparmor_restrict_unprivileged_userns",
  "kernel/unprivileged_userns_clone",
  "kernel/seccomp/actions_avail",
  "user/max_user_namespaces",
  "user/max_mnt_namespaces",
  "user/max_net_namespaces",
  "fs/inotify/max_user_instances",
  "fs/inotify/max_user_watches",
  "vm/memfd_noexec",
  "net/ipv4/ip_unprivileged_port_start",
];

/** Files of the system, as they are but for secrets. */
const texts = [
  "/etc/os-release",
  "/proc/version",
  "/proc/self/mountinfo",
  "/proc/self/cgroup",
  "/proc/filesystems",
  "/sys/kernel/security/lsm",
  "/etc/containers/registries.conf",
];

export interface Versions {
  readonly devbox: string;
  readonly bun: string;
}

/** The names and texts of the archive. */
export function collectArchive(
  input: ProbeInput,
  versions: Versions,
  findings: readonly Finding[],
): Readonly<Record<string, string>> {
  const { context, host, readText } = input;
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
  const files: Record<string, string> = {
    "doctor.json": json(findings),
    "versions.json": json({ ...versions, architecture: host.architecture, helpers: host.helpers }),
    "environment.json": json(redactEnvironment(context.env)),
    "host.json": json(host),
    "sysctl.txt": sysctls.map((name) => `${name} = ${readText(`/proc/sys/${name}`)?.trim() ?? "-"}\n`).join(""),
  };
  for (const path of [...texts, `${host.home}/.config/containers/registries.conf`]) {
    const text = readText(path);
    if (text !== undefined) files[nameOf(path, host.home)] = redactText(text);
  }
  for (const path of credentialFiles(input)) {
    const text = readText(path);
    if (text !== undefined) files[nameOf(path, host.home)] = redactJsonText(text);
  }
  return files;
}

/** Where registry credentials may stand; of these only the shape goes in. */
function credentialFiles({ context, host }: ProbeInput): readonly string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, DOCKER_CONFIG } = context.env;
  const paths = [
    REGISTRY_AUTH_FILE,
    XDG_RUNTIME_DIR && `${XDG_RUNTIME_DIR}/containers/auth.json`,
    `${host.home}/.config/containers/auth.json`,
    `${DOCKER_CONFIG || `${host.home}/.docker`}/config.json`,
  ];
  return paths.filter((path): path is string => path !== undefined && path !== "");
}

/** A name inside the archive: `files/etc/os-release`, `files/home/.docker/config.json`. */
function nameOf(path: string, home: string): string {
  return `files/${path.startsWith(`${home}/`) ? `home${path.slice(home.length)}` : path.replace(/^\/+/, "")}`;
}

/** Writes the archive, readable to the user only. */
export function writeArchive(path: string, files: Readonly<Record<string, string>>): void {
  const zip = zipSync(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])));
  try {
    writeFileSync(path, zip, { mode: 0o600 });
  } catch (cause) {
    throw new DevboxError("USAGE", { step: `write ${path}`, cause, hint: "give a file in a directory that is yours" });
  }
}
