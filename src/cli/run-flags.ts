/** The flags of `run`, spelled as docker and podman spell them. Definitions only; `run-options.ts` reads the values. */

import { longLifeFlags } from "./box-flags.ts";
import { type ArgumentDefs, everyCommand, progressOptions } from "./command.ts";
import { platformOption } from "./platform-flag.ts";

/** Headings of the help. */
const inGroup = {
  process: "Process",
  files: "Files",
  network: "Network",
  security: "Security",
  lifetime: "Lifetime",
  image: "Image",
  output: "Output",
} as const;

export const runFlags = {
  image: {
    type: "positional",
    completes: "images",
    description: "Image reference, such as debian:12 or oci:DIR",
  },
  command: {
    type: "positional",
    required: false,
    variadic: true,
    description: "Command and its arguments; left out: the image's own",
  },

  interactive: {
    type: "boolean",
    alias: "i",
    group: inGroup.process,
    description: "Pass stdin to the command (default in the foreground; -i=false gives it /dev/null)",
  },
  tty: {
    type: "boolean",
    alias: "t",
    group: inGroup.process,
    description: "Give the command a terminal (default in the foreground of one; -t=false: never)",
  },
  env: {
    type: "string",
    multiple: true,
    alias: "e",
    group: inGroup.process,
    valueHint: "NAME[=VALUE]",
    description: "Set a variable; without a value, pass the caller's on",
  },
  "env-file": {
    type: "string",
    multiple: true,
    group: inGroup.process,
    valueHint: "FILE",
    completes: "files",
    description: "Read variables from a file, one NAME=VALUE a line",
  },
  workdir: {
    type: "string",
    alias: "w",
    group: inGroup.process,
    valueHint: "DIR",
    description: "Working directory, absolute",
  },
  user: {
    type: "string",
    alias: "u",
    group: inGroup.process,
    valueHint: "USER[:GROUP]",
    description: "Run as this user; root's files are yours on the host, others' belong to your subordinate ids",
  },
  "group-add": {
    type: "string",
    multiple: true,
    group: inGroup.process,
    valueHint: "GROUP",
    description: "A further group of the user, by name or number",
  },
  entrypoint: {
    type: "string",
    group: inGroup.process,
    valueHint: "PROGRAM",
    description: 'Replace the image\'s entrypoint; "" for none, or a JSON list',
  },
  hostname: {
    type: "string",
    alias: "h",
    group: inGroup.process,
    valueHint: "NAME",
    description: "Host name in the box",
  },
  domainname: { type: "string", group: inGroup.process, valueHint: "NAME", description: "NIS domain name in the box" },
  init: {
    type: "boolean",
    group: inGroup.process,
    description: "Run a small init as PID 1 that forwards signals and reaps zombies",
  },
  ulimit: {
    type: "string",
    multiple: true,
    group: inGroup.process,
    valueHint: "NAME=SOFT[:HARD]",
    description: "Resource limit, for example nofile=1024:2048",
  },
  "oom-score-adj": {
    type: "string",
    group: inGroup.process,
    valueHint: "NUMBER",
    description: "When memory runs out: -1000 (spare it) to 1000 (end it first); less than now is for root",
  },

  volume: {
    type: "string",
    multiple: true,
    alias: "v",
    group: inGroup.files,
    valueHint: "[SOURCE:]TARGET[:OPTIONS]",
    completes: "files",
    description: "Mount a volume by its name, or a host directory or file (ro, rw, nocopy, rprivate …)",
  },
  mount: {
    type: "string",
    multiple: true,
    group: inGroup.files,
    valueHint: "type=…,source=…,target=…",
    description: "Mount as key=value pairs: type volume, bind or tmpfs",
  },
  tmpfs: {
    type: "string",
    multiple: true,
    group: inGroup.files,
    valueHint: "TARGET[:OPTIONS]",
    description: "Mount an empty file system in memory",
  },
  device: {
    type: "string",
    multiple: true,
    group: inGroup.files,
    valueHint: "SOURCE[:TARGET[:rwm]]",
    completes: "files",
    description: "Pass a device of the host on",
  },
  "read-only": { type: "boolean", group: inGroup.files, description: "Mount the root file system read-only" },
  "shm-size": {
    type: "string",
    group: inGroup.files,
    valueHint: "SIZE",
    default: "64m",
    description: "Size of /dev/shm",
  },

  network: {
    type: "string",
    group: inGroup.network,
    valueHint: "MODE",
    completes: ["slirp4netns", "none", "host"],
    default: "slirp4netns",
    description: "none, host or slirp4netns; bridge and private mean slirp4netns",
  },
  net: { type: "string", hidden: true, description: "docker's old spelling of --network" },
  publish: {
    type: "string",
    multiple: true,
    alias: "p",
    group: inGroup.network,
    valueHint: "[[IP:]HOST:]PORT[/udp]",
    description: "Publish a port of the box on the host",
  },
  dns: { type: "string", multiple: true, group: inGroup.network, valueHint: "IP", description: "Use this name server" },
  "dns-search": {
    type: "string",
    multiple: true,
    group: inGroup.network,
    valueHint: "DOMAIN",
    description: "Look for names in this domain; . for none",
  },
  "dns-option": {
    type: "string",
    multiple: true,
    group: inGroup.network,
    valueHint: "OPTION",
    description: "Option of resolv.conf(5), for example ndots:2",
  },
  "dns-opt": { type: "string", multiple: true, hidden: true, description: "docker's old spelling of --dns-option" },
  "add-host": {
    type: "string",
    multiple: true,
    group: inGroup.network,
    valueHint: "NAME:IP",
    description: "Add a line to /etc/hosts; the IP host-gateway is this machine",
  },

  "cap-add": {
    type: "string",
    multiple: true,
    group: inGroup.security,
    valueHint: "NAME",
    description: "Add a capability, or ALL; over what is the box's own only",
  },
  "cap-drop": {
    type: "string",
    multiple: true,
    group: inGroup.security,
    valueHint: "NAME",
    description: "Drop a capability, or ALL",
  },
  "security-opt": {
    type: "string",
    multiple: true,
    group: inGroup.security,
    valueHint: "OPTION",
    completes: ["no-new-privileges", "seccomp=unconfined", "unmask=ALL"],
    description:
      "no-new-privileges, seccomp=unconfined|FILE, unmask=ALL|PATHS, mask=PATHS; label=disable and apparmor=unconfined are so anyway",
  },
  privileged: {
    type: "boolean",
    group: inGroup.security,
    description: "All capabilities, no filter, no masks; still no more than you may do on the host",
  },
  sysctl: {
    type: "string",
    multiple: true,
    group: inGroup.security,
    valueHint: "NAME=VALUE",
    description: "Kernel parameter of the box's namespaces",
  },

  detach: {
    type: "boolean",
    alias: "d",
    group: inGroup.lifetime,
    description: "Leave it running in the background, and print its id",
  },
  name: {
    type: "string",
    group: inGroup.lifetime,
    valueHint: "NAME",
    description: "Name of the box; a named box is kept",
  },
  rm: {
    type: "boolean",
    group: inGroup.lifetime,
    description: "Remove the box at its end (default without --detach, --name and --keep)",
  },
  keep: { type: "boolean", group: inGroup.lifetime, description: "Keep the box and its files after its end" },
  label: {
    type: "string",
    multiple: true,
    alias: "l",
    group: inGroup.lifetime,
    valueHint: "NAME[=VALUE]",
    description: "Label the box",
  },
  "stop-signal": {
    type: "string",
    group: inGroup.lifetime,
    valueHint: "SIGNAL",
    description: "What devbox stop sends; default: the image's, or SIGTERM",
  },
  "stop-timeout": {
    type: "string",
    group: inGroup.lifetime,
    valueHint: "SECONDS",
    default: "10",
    description: "How long devbox stop, or a closed terminal, waits before SIGKILL",
  },
  ...longLifeFlags,

  pull: {
    type: "enum",
    options: ["missing", "always", "never", "newer"],
    group: inGroup.image,
    default: "missing",
    description: "When to ask the registry",
  },
  platform: {
    ...platformOption,
    group: inGroup.image,
    description: "Platform of the image",
  },
  "tls-verify": {
    type: "boolean",
    group: inGroup.image,
    default: true,
    description: "Verify certificates, and speak https with all but loopback",
    negativeDescription: "Accept any certificate, and plain http",
  },

  explain: {
    type: "boolean",
    group: inGroup.output,
    description: "Print every step of the launch instead of taking it",
  },
  ...progressOptions,
  ...everyCommand,
  // docker's -h is the host name.
  help: { type: "boolean", group: inGroup.output, description: everyCommand.help.description },
} as const satisfies ArgumentDefs;
