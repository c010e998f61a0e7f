/** The flags of `run` → what box, bundle and network are asked for. */
import type { RunRequest } from "../box/request.ts";
import { parseEnvFile, parseEnvFlag } from "../bundle/env-file.ts";
import { parseMountFlag, parseTmpfsFlag, parseVolumeFlag } from "../bundle/mount-flags.ts";
import type { RunOptions } from "../bundle/options.ts";
import { DevboxError } from "../core/errors.ts";
import { parsePort } from "../network/ports.ts";
import { parseUlimit } from "../sandbox/rlimits.ts";
import { parseAddHosts } from "./add-host.ts";
import { longLifeOptions } from "./box-values.ts";
import type { Values } from "./command.ts";
import type { runFlags } from "./run-flags.ts";
import { parseSecurityOptions } from "./run-security.ts";
import {
  badFlag,
  checkNameServer,
  checkSignal,
  checkWord,
  parseDevice,
  parseEntrypoint,
  parseNetwork,
  parseOomScore,
  parsePairs,
  parseSeconds,
  parseSize,
  readEnvFile,
} from "./run-values.ts";

/** What the flags depend on beside themselves. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether stdin and stdout are terminals. */
  readonly onTerminal: boolean;
  /** The address of this machine for boxes; undefined: there is none. */
  readonly ownAddress: () => string | undefined;
}

export interface RunPlan {
  readonly request: RunRequest;
  /** What was asked for and has no effect. */
  readonly notices: readonly string[];
}

type RunValues = Values<typeof runFlags>;

/** @throws DevboxError USAGE naming the flag. */
export function toRunRequest(values: RunValues, around: Surroundings): RunPlan {
  const { security, notices } = parseSecurityOptions(values["security-opt"]);
  const network = parseNetwork(values.net ?? values.network);
  const { addHosts, notices: hostNotices } = parseAddHosts(values["add-host"], network, around.ownAddress);
  const options: RunOptions = {
    ...processOptions(values, around),
    ...fileOptions(values, around),
    ...lifetimeOptions(values),
    ...longLifeOptions(values),
    network,
    ports: network === "slirp4netns" ? values.publish.flatMap(parsePort) : [],
    dns: values.dns.map(checkNameServer),
    dnsSearch: values["dns-search"].map((text) => checkWord("--dns-search", text, "example.org")),
    dnsOptions: [...values["dns-option"], ...values["dns-opt"]].map((text) =>
      checkWord("--dns-option", text, "ndots:2"),
    ),
    addHosts,
    capAdd: values["cap-add"].flatMap((text) => text.split(",")),
    capDrop: values["cap-drop"].flatMap((text) => text.split(",")),
    privileged: values.privileged ?? false,
    security,
    sysctl: parsePairs("--sysctl", values.sysctl, "net.ipv4.ip_unprivileged_port_start=0"),
  };
  const request: RunRequest = {
    reference: values.image,
    options,
    pull: values.pull,
    platform: unlessEmpty(values.platform),
    tlsVerify: values["tls-verify"],
    quiet: values.quiet ?? false,
    explain: values.explain ?? false,
    detach: values.detach ?? false,
    cidFile: unlessEmpty(values.cidfile),
  };
  refuseTogether(options, request);
  return { request, notices: [...notices, ...portNotices(values, network), ...hostNotices] };
}

/** As docker: a box cannot be removed at its end and started again. */
function refuseTogether({ keep, restart }: RunOptions, { detach }: RunRequest): void {
  if (restart.name === "no") return;
  if (!keep) throw new DevboxError("USAGE", { step: "devbox run: --rm and --restart contradict each other" });
  if (detach) return;
  throw new DevboxError("USAGE", {
    step: "devbox run: --restart is for boxes in the background",
    hint: "add --detach; devbox attach shows what it prints",
  });
}

/** docker takes an empty value for none: `--name "$NAME"` in scripts. */
function unlessEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function portNotices(values: RunValues, network: RunOptions["network"]): readonly string[] {
  if (network === "slirp4netns" || values.publish.length === 0) return [];
  const why = network === "host" ? "the box's ports are the host's" : "the box has no network";
  return [`--publish has no effect with --network ${network}: ${why}`];
}

type ProcessOptions = Pick<
  RunOptions,
  | "command"
  | "domainname"
  | "entrypoint"
  | "env"
  | "groupAdd"
  | "hostname"
  | "init"
  | "interactive"
  | "oomScoreAdj"
  | "tty"
  | "ulimits"
  | "user"
  | "workdir"
>;

function processOptions(values: RunValues, { env, onTerminal }: Surroundings): ProcessOptions {
  const { entrypoint } = values;
  const workdir = unlessEmpty(values.workdir);
  const hostname = unlessEmpty(values.hostname);
  if (workdir !== undefined && !workdir.startsWith("/")) {
    throw badFlag("--workdir", workdir, "it is not an absolute path", "/src");
  }
  // sethostname(2): at most 64 bytes.
  if (hostname !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(hostname)) {
    throw badFlag("--hostname", hostname, "it is not a host name", "box");
  }
  const domainname = unlessEmpty(values.domainname);
  // setdomainname(2) has the same limit.
  if (domainname !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(domainname)) {
    throw badFlag("--domainname", domainname, "it is not a domain name", "example.org");
  }
  return {
    command: values.command,
    domainname,
    entrypoint: entrypoint === undefined ? undefined : parseEntrypoint(entrypoint),
    // Files first: what stands on the command line wins, wherever it stands (docker, podman).
    env: [
      ...values["env-file"].flatMap((file) => parseEnvFile(readEnvFile(file), env, file)),
      ...values.env.map((text) => parseEnvFlag(text, env)),
    ],
    groupAdd: values["group-add"],
    hostname,
    init: values.init ?? false,
    // In the background only where it is asked for, as in docker: nobody is there yet.
    interactive: values.interactive ?? !values.detach,
    tty: values.tty ?? (onTerminal && !values.detach),
    oomScoreAdj: values["oom-score-adj"] === undefined ? undefined : parseOomScore(values["oom-score-adj"]),
    ulimits: values.ulimit.map(parseUlimit),
    user: unlessEmpty(values.user),
    workdir,
  };
}

function fileOptions(
  values: RunValues,
  { cwd }: Surroundings,
): Pick<RunOptions, "devices" | "mounts" | "readonlyRoot" | "shmSizeBytes"> {
  const mounts = [
    ...values.volume.map((text) => parseVolumeFlag(text, cwd)),
    ...values.mount.map((text) => parseMountFlag(text, cwd)),
    ...values.tmpfs.map(parseTmpfsFlag),
  ];
  refuseTwoOnOne(mounts.map(({ target }) => target));
  return {
    devices: values.device.map(parseDevice),
    mounts,
    readonlyRoot: values["read-only"] ?? false,
    shmSizeBytes: parseSize("--shm-size", values["shm-size"]),
  };
}

/** As docker and podman do: one of them would be hidden, and which one is nothing to guess. */
function refuseTwoOnOne(targets: readonly string[]): void {
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice === undefined) return;
  throw new DevboxError("USAGE", {
    step: `mount on ${twice}`,
    because: "two of --volume, --mount and --tmpfs name this place",
    hint: "give each mount a place of its own",
  });
}

function lifetimeOptions(
  values: RunValues,
): Pick<RunOptions, "keep" | "labels" | "name" | "stopSignal" | "stopTimeoutSeconds"> {
  const { rm, keep, detach } = values;
  const name = unlessEmpty(values.name);
  if (rm && keep) {
    throw new DevboxError("USAGE", { step: "devbox run: --rm and --keep contradict each other" });
  }
  const stopSignal = unlessEmpty(values["stop-signal"]);
  return {
    name,
    keep: keep ?? (rm === undefined ? detach === true || name !== undefined : !rm),
    labels: parsePairs("--label", values.label, "project=web", ""),
    stopSignal: stopSignal === undefined ? undefined : checkSignal(stopSignal),
    stopTimeoutSeconds: parseSeconds("--stop-timeout", values["stop-timeout"]),
  };
}
