/** Rows of "process" and of what stands beside it at the top of config.json. */
import { readFileSync } from "node:fs";
import { rlimitTypes } from "../../../src/oci/runtime-words.ts";
import type { Config } from "../oci-runtime.ts";
import { isRoot, type Row, type Seen } from "./row.ts";
import { scheduleRows } from "./schedule.ts";

/** CAP_SYS_RESOURCE of the host, which root in a container or a virtual machine may lack. */
const mayRaise = isRoot && (BigInt(`0x${readOwn("status", /^CapEff:\t(\w+)/m)}`) & (1n << 24n)) !== 0n;
const ownScore = readOwn("oom_score_adj", /(.*)/);

function readOwn(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(`/proc/self/${file}`, "utf8"))?.[1] ?? "";
}

const status = (name: string): string => `grep ^${name}: /proc/self/status | tr -d '\\t'`;

export const topRows: readonly Row[] = [
  { of: "ociVersion", change: (config) => (config.ociVersion = "1.0.0-rc5"), script: "echo up", sees: "up" },
  {
    of: "ociVersion",
    word: "2.0.0",
    change: (config) => (config.ociVersion = "2.0.0"),
    sees: { refused: /ociVersion: version 2\.0\.0 is not supported/ },
  },
  { of: "root.path", script: "cat /marker", sees: "the root of the table" },
  {
    of: "root.readonly",
    change: (config) => (config.root.readonly = true),
    script: "touch /new 2>&1; grep -c ' / / ro,\\| / ro,' /proc/self/mountinfo",
    sees: "touch: /new: Read-only file system\n1",
  },
  { of: "hostname", change: (config) => (config.hostname = "table"), script: "hostname", sees: "table" },
  {
    of: "domainname",
    change: (config) => (config.domainname = "example.org"),
    script: "cat /proc/sys/kernel/domainname",
    sees: "example.org",
  },
  {
    of: ["annotations", "annotations.*"],
    change(config, { outside }) {
      config.annotations = { "org.example": "ä" };
      config.hooks = { poststop: [{ path: "/bin/sh", args: ["sh", "-c", `cat > ${outside}/state`] }] };
    },
    sees: /"annotations":\{"org\.example":"ä"\}/,
  },
];

const user = (change: (user: Config) => void) => (config: Config) => change(config.process.user);

/** ulimit(1) has no words for some of them; /proc/PID/limits has. */
const limits: Readonly<Record<(typeof rlimitTypes)[number], readonly [line: string, soft: number, hard: number]>> = {
  RLIMIT_AS: ["Max address space", 1_000_000_000, 2_000_000_000],
  RLIMIT_CORE: ["Max core file size", 0, 0],
  RLIMIT_CPU: ["Max cpu time", 100, 200],
  RLIMIT_DATA: ["Max data size", 300_000_000, 400_000_000],
  RLIMIT_FSIZE: ["Max file size", 1_000_000, 2_000_000],
  RLIMIT_LOCKS: ["Max file locks", 10, 20],
  RLIMIT_MEMLOCK: ["Max locked memory", 4096, 8192],
  RLIMIT_MSGQUEUE: ["Max msgqueue size", 1000, 2000],
  RLIMIT_NICE: ["Max nice priority", 5, 10],
  RLIMIT_NOFILE: ["Max open files", 100, 200],
  RLIMIT_NPROC: ["Max processes", 5000, 6000],
  RLIMIT_RSS: ["Max resident set", 1000, 2000],
  RLIMIT_RTPRIO: ["Max realtime priority", 3, 4],
  RLIMIT_RTTIME: ["Max realtime timeout", 1000, 2000],
  RLIMIT_SIGPENDING: ["Max pending signals", 100, 200],
  RLIMIT_STACK: ["Max stack size", 1_000_000, 2_000_000],
};

/** What an ordinary user's hard limit is 0 of (getrlimit(2)). */
const raised = ["RLIMIT_NICE", "RLIMIT_RTPRIO"];

const rlimitRows: readonly Row[] = rlimitTypes.map((type) => {
  const [line, soft, hard] = limits[type];
  const set: Seen = `${soft} ${hard}`;
  return {
    of: ["process.rlimits", "process.rlimits[].type", "process.rlimits[].soft", "process.rlimits[].hard"],
    word: type,
    change: (config) => (config.process.rlimits = [{ type, soft, hard }]),
    script: `grep '^${line}' /proc/self/limits | sed 's/^.\\{26\\}//' | while read soft hard unit; do echo $soft $hard; done`,
    sees: raised.includes(type) && !mayRaise ? { refused: new RegExp(`set the limit ${type}: .*EPERM`) } : set,
  };
});

const sets = ["bounding", "effective", "permitted", "inheritable", "ambient"] as const;

/** All five have two capabilities, for a user to whom nothing is given for being root (capabilities(7)). */
function capabilities(config: Config, changes: Config): void {
  config.process.user = { uid: 1, gid: 1 };
  const all = Object.fromEntries(sets.map((set) => [set, ["CAP_KILL", "CAP_CHOWN"]]));
  config.process.capabilities = { ...all, ...changes };
}

const capabilityRows: readonly Row[] = [
  {
    of: [
      "process.capabilities",
      ...sets.flatMap((set) => [`process.capabilities.${set}`, `process.capabilities.${set}[]`]),
    ],
    change: (config) => capabilities(config, {}),
    script: "grep ^Cap /proc/self/status | tr -d '\\t'",
    sees: ["Inh", "Prm", "Eff", "Bnd", "Amb"].map((set) => `Cap${set}:0000000000000021`).join("\n"),
  },
  {
    of: "process.capabilities.bounding",
    change: (config) => capabilities(config, { bounding: ["CAP_KILL", "CAP_CHOWN", "CAP_SYS_TIME"] }),
    script: status("CapBnd"),
    sees: "CapBnd:0000000002000021",
  },
  {
    of: "process.capabilities.effective",
    change(config) {
      capabilities(config, {
        effective: ["CAP_DAC_OVERRIDE"],
        permitted: ["CAP_DAC_OVERRIDE"],
        inheritable: [],
        ambient: [],
      });
      config.process.args = ["/closed/busybox", "echo", "executed by its capability"];
    },
    sees: "executed by its capability",
  },
  {
    of: "process.capabilities.permitted",
    change: (config) => capabilities(config, { permitted: ["CAP_CHOWN"] }),
    script: status("CapAmb"),
    sees: "CapAmb:0000000000000001",
    warns: /process\.capabilities\.ambient: CAP_KILL is left out/,
  },
  {
    of: "process.capabilities.inheritable",
    change: (config) => capabilities(config, { ambient: [] }),
    script: `${status("CapInh")}; ${status("CapPrm")}`,
    sees: "CapInh:0000000000000021\nCapPrm:0000000000000000",
  },
  {
    of: "process.capabilities.ambient",
    change: (config) => capabilities(config, { ambient: ["CAP_KILL"] }),
    script: `${status("CapAmb")}; ${status("CapEff")}`,
    sees: "CapAmb:0000000000000020\nCapEff:0000000000000020",
  },
];

export const processRows: readonly Row[] = [
  {
    of: "process",
    word: "left out",
    change: (config) => (config.process = undefined),
    sees: { refused: /process/ },
  },
  {
    of: ["process.terminal", "process.consoleSize", "process.consoleSize.height", "process.consoleSize.width"],
    change(config) {
      config.process.terminal = true;
      config.process.consoleSize = { height: 37, width: 123 };
    },
    script: "tty; stty size",
    sees: /^\/dev\/pts\/0\r?\n37 123$/,
  },
  { of: "process.cwd", change: (config) => (config.process.cwd = "/tmp"), script: "pwd", sees: "/tmp" },
  {
    of: ["process.env", "process.env[]"],
    change: (config) => (config.process.env = ["PATH=/bin", "A=1", "B=", "C=ä b"]),
    script: "env | grep ^[ABC]= | sort",
    sees: "A=1\nB=\nC=ä b",
  },
  {
    of: ["process.args", "process.args[]"],
    change: (config) => (config.process.args = ["printf", "%s|", "a b", "", "$c"]),
    sees: "a b||$c|",
  },
  {
    of: ["process.user", "process.user.uid"],
    change: user((who) => (who.uid = 7)),
    script: "id -u; grep ^Uid: /proc/self/status | tr '\\t' ' '",
    sees: "7\nUid: 7 7 7 7",
  },
  {
    of: "process.user.gid",
    change: user((who) => (who.gid = 8)),
    script: "id -g; grep ^Gid: /proc/self/status | tr '\\t' ' '",
    sees: "8\nGid: 8 8 8 8",
  },
  { of: "process.user.umask", change: user((who) => (who.umask = 0o27)), script: "umask", sees: "0027" },
  {
    of: ["process.user.additionalGids", "process.user.additionalGids[]"],
    change: user((who) => (who.additionalGids = [11, 12])),
    script: "grep ^Groups: /proc/self/status | tr '\\t' ' '",
    sees: /^Groups: 11 12/,
  },
  {
    of: "process.noNewPrivileges",
    word: "true",
    change: (config) => (config.process.noNewPrivileges = true),
    script: status("NoNewPrivs"),
    sees: "NoNewPrivs:1",
  },
  {
    of: "process.noNewPrivileges",
    word: "false",
    change: (config) => (config.process.noNewPrivileges = false),
    script: status("NoNewPrivs"),
    sees: "NoNewPrivs:0",
  },
  {
    of: "process.oomScoreAdj",
    change: (config) => (config.process.oomScoreAdj = 321),
    script: "cat /proc/self/oom_score_adj",
    sees: "321",
  },
  {
    of: "process.oomScoreAdj",
    word: "lower than the caller's",
    change: (config) => (config.process.oomScoreAdj = -500),
    script: "cat /proc/self/oom_score_adj",
    // To lower it takes CAP_SYS_RESOURCE; runc without root goes on as well.
    sees: mayRaise ? "-500" : ownScore,
  },
  {
    of: "process.apparmorProfile",
    change: (config) => (config.process.apparmorProfile = "box"),
    sees: { refused: /AppArmor/i },
  },
  {
    of: "process.selinuxLabel",
    change: (config) => (config.process.selinuxLabel = "system_u:system_r:box_t:s0"),
    sees: { refused: /SELinux/i },
  },
  ...rlimitRows,
  ...scheduleRows,
  ...capabilityRows,
];
