/** Flags about a box as long as it lives, shared by `run`, `create` and `update`. Definitions only; `box-values.ts` reads them. */
import type { ArgumentDefs } from "./command.ts";

const resources = "Resources";
const health = "Health";
const lifetime = "Lifetime";

/** What a control group limits. */
export const resourceFlags = {
  memory: { type: "string", alias: "m", group: resources, valueHint: "SIZE", description: "Memory limit" },
  "memory-swap": {
    type: "string",
    group: resources,
    valueHint: "SIZE",
    description: "Limit of memory and swap together; -1: unlimited swap; default: twice --memory",
  },
  "memory-reservation": {
    type: "string",
    group: resources,
    valueHint: "SIZE",
    description: "What is left to the box when memory is scarce",
  },
  cpus: { type: "string", group: resources, valueHint: "NUMBER", description: "Processors at most, for example 1.5" },
  "cpu-shares": { type: "string", group: resources, valueHint: "WEIGHT", description: "Weight against others (1024)" },
  "cpu-period": { type: "string", group: resources, valueHint: "MICROSECONDS", description: "Period of --cpu-quota" },
  "cpu-quota": { type: "string", group: resources, valueHint: "MICROSECONDS", description: "Processor time a period" },
  "cpuset-cpus": { type: "string", group: resources, valueHint: "LIST", description: "Processors to use: 0-3, 0,1" },
  "cpuset-mems": { type: "string", group: resources, valueHint: "LIST", description: "Memory nodes to use: 0-1" },
  "pids-limit": { type: "string", group: resources, valueHint: "NUMBER", description: "Processes at most; -1: any" },
  "blkio-weight": {
    type: "string",
    group: resources,
    valueHint: "WEIGHT",
    description: "Weight of its disk accesses against others, 10 to 1000",
  },
  "oom-kill-disable": {
    type: "boolean",
    group: resources,
    description: "Let processes wait when memory has run out (control groups of version 1)",
  },
} as const satisfies ArgumentDefs;

export const restartFlag = {
  restart: {
    type: "string",
    group: lifetime,
    valueHint: "POLICY",
    completes: ["no", "on-failure", "always", "unless-stopped"],
    description: "Start it again when it ends by itself: no, on-failure[:TIMES], always, unless-stopped",
  },
} as const satisfies ArgumentDefs;

export const detachKeysFlag = {
  "detach-keys": {
    type: "string",
    group: lifetime,
    valueHint: "KEYS",
    description: "What leaves a box running, for example ctrl-p,ctrl-q (the default)",
  },
} as const satisfies ArgumentDefs;

/** How the health of a box is found out. */
const healthFlags = {
  "health-cmd": { type: "string", group: health, valueHint: "COMMAND", description: "Fails when the box is not well" },
  "health-interval": { type: "string", group: health, valueHint: "TIME", description: "Between two checks (30s)" },
  "health-timeout": { type: "string", group: health, valueHint: "TIME", description: "A longer check fails (30s)" },
  "health-retries": { type: "string", group: health, valueHint: "NUMBER", description: "Failures until unhealthy (3)" },
  "health-start-period": {
    type: "string",
    group: health,
    valueHint: "TIME",
    description: "Failures do not count before (0s)",
  },
  "health-start-interval": {
    type: "string",
    group: health,
    valueHint: "TIME",
    description: "Between two checks of the start period (5s)",
  },
  "no-healthcheck": { type: "boolean", group: health, description: "No check, whatever the image says" },
} as const satisfies ArgumentDefs;

/** Of `run` and `create`. */
export const longLifeFlags = {
  cidfile: {
    type: "string",
    group: lifetime,
    valueHint: "FILE",
    completes: "files",
    description: "Write the id of the box to a new file",
  },
  ...restartFlag,
  "log-driver": {
    type: "string",
    group: lifetime,
    valueHint: "DRIVER",
    completes: ["local", "none"],
    description: "What keeps the output of a detached box: local (default) or none",
  },
  "log-opt": {
    type: "string",
    multiple: true,
    group: lifetime,
    valueHint: "NAME=VALUE",
    completes: ["max-size=", "max-file="],
    description: "max-size=SIZE of a log file (20m), max-file=NUMBER that are kept (5)",
  },
  ...detachKeysFlag,
  ...resourceFlags,
  ...healthFlags,
} as const satisfies ArgumentDefs;
