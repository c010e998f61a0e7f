/** Rows of "linux.seccomp": what becomes of mkdir(2), kill(2) and their kin under a filter. */
import { syscallTable } from "../../../ffi/syscalls.ts";
import type { Seccomp, SeccompAction, SeccompArgument } from "../../../src/oci/runtime.ts";
import { seccompArchitectures, seccompOperators } from "../../../src/oci/runtime-words.ts";
import type { Config } from "../oci-runtime.ts";
import type { Row, Seen } from "./row.ts";

const of = (...keys: readonly string[]): readonly string[] => [
  "linux.seccomp",
  ...keys.map((key) => `linux.seccomp.${key}`),
];
const rule = of("defaultAction", "syscalls", "syscalls[].names", "syscalls[].names[]", "syscalls[].action");

const filter = (seccomp: Seccomp) => (config: Config) => (config.linux.seccomp = seccomp);
const onMkdir = (action: SeccompAction, more: Config = {}, whole: Config = {}) =>
  filter({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action, ...more }],
    ...whole,
  });

const mkdir = "mkdir /tmp/new 2>&1; echo $?; rmdir /tmp/new 2>/dev/null";
const failed = (reason: string): string => `mkdir: can't create directory '/tmp/new': ${reason}\n1`;
/** 128 + SIGSYS. */
const killed = /(?:Bad system call\n)?159$/;

const actions: Readonly<Record<Exclude<SeccompAction, "SCMP_ACT_NOTIFY" | "SCMP_ACT_ALLOW">, Seen>> = {
  SCMP_ACT_KILL: killed,
  SCMP_ACT_KILL_PROCESS: killed,
  SCMP_ACT_KILL_THREAD: killed,
  SCMP_ACT_TRAP: killed,
  SCMP_ACT_ERRNO: failed("Operation not permitted"),
  // Nobody traces.
  SCMP_ACT_TRACE: failed("Function not implemented"),
  SCMP_ACT_LOG: "0",
};

/** Signals 1 to 15 that the shell, which ignores them as process 1, may be sent: those for which the rule does not hold. */
const kill = "for s in 8 9 10 12 14; do kill -$s 1 2>/dev/null && echo $s; done | xargs";

const operators: Readonly<Record<SeccompArgument["op"], readonly [argument: Config, allowed: string]>> = {
  SCMP_CMP_EQ: [{ value: 10 }, "8 9 12 14"],
  SCMP_CMP_NE: [{ value: 10 }, "10"],
  SCMP_CMP_LT: [{ value: 10 }, "10 12 14"],
  SCMP_CMP_LE: [{ value: 10 }, "12 14"],
  SCMP_CMP_GT: [{ value: 10 }, "8 9 10"],
  SCMP_CMP_GE: [{ value: 10 }, "8 9"],
  // value is the mask: 12 and 14 have the bit.
  SCMP_CMP_MASKED_EQ: [{ value: 4, valueTwo: 4 }, "8 9 10"],
};

const flags: readonly (readonly [flag: string, sees: Seen])[] = [
  ["SECCOMP_FILTER_FLAG_LOG", failed("Operation not permitted")],
  ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", failed("Operation not permitted")],
  ["SECCOMP_FILTER_FLAG_TSYNC", failed("Operation not permitted")],
];

export const seccompRows: readonly Row[] = [
  ...Object.entries(actions).map(
    ([action, sees]): Row => ({
      of: rule,
      word: action,
      change: onMkdir(action as SeccompAction),
      script: mkdir,
      sees,
    }),
  ),
  {
    of: of("defaultAction", "defaultErrnoRet", "syscalls[].action"),
    word: "SCMP_ACT_ALLOW",
    change: filter({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 28,
      syscalls: [
        {
          names: Object.keys(syscallTable).filter((name) => name !== "mkdir" && name !== "mkdirat"),
          action: "SCMP_ACT_ALLOW",
        },
      ],
    }),
    script: mkdir,
    sees: failed("No space left on device"),
  },
  {
    of: of("syscalls[].errnoRet"),
    change: onMkdir("SCMP_ACT_ERRNO", { errnoRet: 95 }),
    script: mkdir,
    sees: /^mkdir: .*: (?:Operation )?[Nn]ot supported\n1$/,
  },
  ...seccompOperators.map((op): Row => {
    const [argument, allowed] = operators[op];
    const rules = of(
      "syscalls[].args",
      ...["index", "value", "valueTwo", "op"].map((key) => `syscalls[].args[].${key}`),
    );
    return {
      of: rules.filter((place) => !place.endsWith("valueTwo") || "valueTwo" in argument),
      word: op,
      change: filter({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{ index: 1, op, ...argument }] }],
      }),
      script: kill,
      sees: allowed,
    };
  }),
  ...flags.map(
    ([flag, sees]): Row => ({
      of: of("flags", "flags[]"),
      word: flag,
      change: onMkdir("SCMP_ACT_ERRNO", {}, { flags: [flag] }),
      script: mkdir,
      sees,
    }),
  ),
  ...seccompArchitectures.map(
    (architecture): Row => ({
      of: of("architectures", "architectures[]"),
      word: architecture,
      change: onMkdir("SCMP_ACT_ERRNO", {}, { architectures: [architecture] }),
      script: `${mkdir}; grep ^Seccomp: /proc/self/status | tr -d '\\t'`,
      // Calls of the machine itself are under the filter, whatever else is.
      sees: `${failed("Operation not permitted")}\nSeccomp:2`,
    }),
  ),
  ...(["SCMP_ACT_NOTIFY", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] as const).map(
    (word): Row => ({
      of: [
        ...rule,
        ...of("listenerPath", "listenerMetadata"),
        ...(word.includes("FLAG") ? of("flags", "flags[]") : []),
      ],
      word,
      change: (config, { directory }) =>
        onMkdir(
          "SCMP_ACT_NOTIFY",
          {},
          {
            listenerPath: `${directory}/agent`,
            listenerMetadata: "who asks",
            ...(word.includes("FLAG") ? { flags: [word] } : {}),
          },
        )(config),
      script: mkdir,
      // The agent of the table answers nobody: it closes the listener (seccomp_unotify(2)).
      sees: ({ id }) => `${failed("Function not implemented")}\nseccompFd of ${id}: who asks`,
    }),
  ),
];
