/** Rows of "hooks", and of "linux" but for its filter and its control group. */
import { readlinkSync } from "node:fs";
import { defaultIdMap } from "../../../src/host/id-map.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import type { NamespaceType, RootfsPropagation } from "../../../src/oci/runtime.ts";
import { hookPoints, namespaceTypes, rootfsPropagations } from "../../../src/oci/runtime-words.ts";
import type { Config } from "../oci-runtime.ts";
import { ofMappings } from "./mounts.ts";
import { isRoot, type Row, type Seen, withoutNamespace } from "./row.ts";

const hookRows: readonly Row[] = hookPoints.map((point) => ({
  of: [
    "hooks",
    `hooks.${point}`,
    `hooks.${point}[]`,
    ...["path", "args", "env", "timeout"].map((key) => `hooks.${point}[].${key}`),
  ],
  word: point,
  change(config, { outside }) {
    // createContainer and startContainer hooks are in the box's namespaces, and only the last has its root.
    const to = point === "startContainer" ? "/outside" : outside;
    config.mounts.push({ destination: "/outside", type: "bind", source: outside, options: ["bind"] });
    const hook = (text: string) => ({
      path: "/bin/sh",
      args: ["sh", "-c", `echo "${text} $MINE" >> ${to}/hook; cat > /dev/null`],
      env: ["MINE=of its own", "PATH=/bin"],
      timeout: 20,
    });
    config.hooks = { [point]: [hook("first"), hook("second")] };
  },
  script: "echo the command",
  sees: "the command\nfirst of its own\nsecond of its own",
}));

const file: Readonly<Record<NamespaceType, string>> = {
  cgroup: "cgroup",
  ipc: "ipc",
  mount: "mnt",
  network: "net",
  pid: "pid",
  time: "time",
  user: "user",
  uts: "uts",
};

/** Namespaces that the box is not in, so that those that it is in have the host's. */
const namespaceRows: readonly Row[] = namespaceTypes.flatMap((type): readonly Row[] => {
  const link = `readlink /proc/self/ns/${file[type]}`;
  return [
    {
      of: ["linux.namespaces", "linux.namespaces[].type"],
      word: `${type}: new`,
      change(config) {
        withoutNamespace(config, type);
        config.linux.namespaces.push({ type });
        if (type === "user" && isRoot) {
          config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
          config.linux.gidMappings = config.linux.uidMappings;
        }
      },
      script: link,
      sees: new RegExp(`^${file[type]}:\\[\\d+\\]$`),
    },
    {
      of: ["linux.namespaces", "linux.namespaces[].type", "linux.namespaces[].path"],
      word: `${type}: by path`,
      change(config, { peer, viewer }) {
        withoutNamespace(config, type, "user");
        delete config.linux.uidMappings;
        delete config.linux.gidMappings;
        delete config.hostname;
        config.linux.namespaces.push({ type, path: `/proc/${type === "mount" ? viewer : peer}/ns/${file[type]}` });
        // What an ordinary user may join belongs to a user namespace, which is joined first.
        if (type !== "user" && !isRoot) config.linux.namespaces.push({ type: "user", path: `/proc/${peer}/ns/user` });
      },
      script: link,
      sees: ({ peer, viewer }) => readlinkSync(`/proc/${type === "mount" ? viewer : peer}/ns/${file[type]}`),
    },
  ];
});

/** Whether others see what is mounted in the root of the box, as its mountinfo tells. */
const propagation: Readonly<Record<RootfsPropagation, RegExp>> = {
  shared: /^shared:\d+$/,
  rshared: /^shared:\d+$/,
  slave: /^(?:master:\d+)?$/,
  rslave: /^(?:master:\d+)?$/,
  private: /^$/,
  rprivate: /^$/,
  unbindable: /^unbindable$/,
  runbindable: /^unbindable$/,
};

const device = (path: string, more: Config) => (config: Config) => (config.linux.devices = [{ path, ...more }]);
const whoever = { fileMode: 0o624, uid: 3, gid: 4 };
const ofDevice = [
  "linux.devices",
  ...["type", "path", "major", "minor", "fileMode", "uid", "gid"].map((key) => `linux.devices[].${key}`),
];
const stat = "stat -c '%F %t:%T %a %u:%g'";
const mayNot: Seen = { refused: /linux\.devices\[0\]|device/ };

/** The ids that an ordinary user may map: its own, and those after it (subuid(5)). */
function ownRanges(): readonly [own: number, first: number] {
  const { uid } = defaultIdMap(readHostFacts(process.env));
  return [uid[0]?.hostID ?? 0, uid[1]?.hostID ?? 0];
}

export const linuxRows: readonly Row[] = [
  ...hookRows,
  ...namespaceRows,
  {
    of: [
      "linux.uidMappings",
      "linux.gidMappings",
      ...ofMappings("linux.uidMappings"),
      ...ofMappings("linux.gidMappings"),
    ],
    change(config) {
      withoutNamespace(config, "user");
      config.linux.namespaces.push({ type: "user" });
      const [first, second] = isRoot ? [0, 5] : ownRanges();
      config.linux.uidMappings = config.linux.gidMappings = [
        { containerID: 0, hostID: first, size: 1 },
        { containerID: 1, hostID: second, size: 7 },
      ];
    },
    script: "cat /proc/self/uid_map /proc/self/gid_map | while read inside out size; do echo $inside $out $size; done",
    sees: () => {
      const [first, second] = isRoot ? [0, 5] : ownRanges();
      const map = `0 ${first} 1\n1 ${second} 7`;
      return `${map}\n${map}`;
    },
  },
  {
    of: ofDevice,
    word: "c",
    change: device("/dev/mine", { type: "c", major: 1, minor: 5, ...whoever }),
    script: `${stat} /dev/mine; head -c 2 /dev/mine | xxd -p`,
    // Without root it is the host's own node, with its owner and its mode (config-linux.md lets it be).
    sees: {
      root: "character special file 1:5 624 3:4\n0000",
      user: "character special file 1:5 666 65534:65534\n0000",
    },
  },
  {
    of: ofDevice,
    word: "u",
    change: device("/dev/deep/mine", { type: "u", major: 1, minor: 3 }),
    script: `${stat} /dev/deep/mine`,
    sees: /^character special file 1:3 666 (?:0:0|65534:65534)$/,
  },
  {
    of: ofDevice,
    word: "b",
    change: device("/dev/block", { type: "b", major: 7, minor: 250, ...whoever }),
    script: `${stat} /dev/block`,
    sees: { root: "block special file 7:fa 624 3:4", user: mayNot },
  },
  {
    of: ["linux.devices", "linux.devices[].type", "linux.devices[].path", "linux.devices[].fileMode"],
    word: "p",
    change: device("/dev/pipe", { type: "p", ...whoever }),
    script: `${stat} /dev/pipe`,
    sees: "fifo 0:0 624 3:4",
  },
  {
    of: ["linux.netDevices", "linux.netDevices.*", "linux.netDevices.*.name"],
    change(config) {
      withoutNamespace(config, "network");
      config.linux.namespaces.push({ type: "network" });
      config.linux.netDevices = { table0: { name: "inside" } };
    },
    ...(isRoot ? { besidePeer: true } : {}),
    script: "ip -o link show inside | cut -d: -f2",
    // A device is its user namespace's: an ordinary user has none that it could give away.
    sees: { root: /^inside@/, user: { refused: /network device table0/ } },
  },
  {
    of: ["linux.sysctl", "linux.sysctl.*"],
    change(config) {
      withoutNamespace(config, "network");
      config.linux.namespaces.push({ type: "network" });
      config.linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.shmmni": "1234" };
    },
    script: "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni",
    sees: "1\n1234",
  },
  {
    of: "linux.sysctl.*",
    word: "the host's",
    change: (config) => (config.linux.sysctl = { "kernel.panic": "1" }),
    sees: { refused: /linux\.sysctl: kernel\.panic is the host's/ },
  },
  {
    of: ["linux.maskedPaths", "linux.maskedPaths[]"],
    change: (config) => (config.linux.maskedPaths = ["/marker", "/filled", "/not/there"]),
    script: "cat /marker; ls /filled; touch /filled/x 2>&1; ls /not 2>&1",
    sees: "touch: /filled/x: Read-only file system\nls: /not: No such file or directory",
  },
  {
    of: ["linux.readonlyPaths", "linux.readonlyPaths[]"],
    change: (config) => (config.linux.readonlyPaths = ["/filled", "/not/there"]),
    script: "cat /filled/file; touch /filled/x 2>&1",
    sees: "what was there\ntouch: /filled/x: Read-only file system",
  },
  ...rootfsPropagations.map(
    (word): Row => ({
      of: "linux.rootfsPropagation",
      word,
      change: (config) => (config.linux.rootfsPropagation = word),
      script:
        "sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \\/ [^ ]* \\(.*\\) - .*$/\\1/p;s/^[^ ]* [^ ]* [^ ]* [^ ]* \\/ [^ ]* - .*$//p' /proc/self/mountinfo",
      sees: propagation[word],
    }),
  ),
  {
    of: [
      "linux.timeOffsets",
      ...["monotonic", "boottime"].flatMap((clock) =>
        ["", ".secs", ".nanosecs"].map((key) => `linux.timeOffsets.${clock}${key}`),
      ),
    ],
    change(config) {
      config.linux.namespaces.push({ type: "time" });
      config.linux.timeOffsets = {
        monotonic: { secs: 10_000_000, nanosecs: 5 },
        boottime: { secs: 20_000_000, nanosecs: 7 },
      };
    },
    script:
      "while read -r clock offset nanos; do echo $clock $offset $nanos; done < /proc/self/timens_offsets; [ $(cut -d. -f1 /proc/uptime) -gt 20000000 ] && echo long ago",
    sees: "monotonic 10000000 5\nboottime 20000000 7\nlong ago",
  },
  {
    of: "linux.mountLabel",
    change: (config) => (config.linux.mountLabel = "system_u:object_r:box_file_t:s0"),
    script: "stat -c %a /dev/shm",
    warns: /linux\.mountLabel: SELinux is not in use here/,
    sees: "1777",
  },
  {
    of: ["linux.personality", "linux.personality.domain"],
    word: "LINUX32",
    change: (config) => (config.linux.personality = { domain: "LINUX32" }),
    script: "uname -m",
    sees: process.arch === "x64" ? "i686" : "armv8l",
  },
  {
    of: ["linux.personality", "linux.personality.domain"],
    word: "LINUX",
    change: (config) => (config.linux.personality = { domain: "LINUX" }),
    script: "uname -m",
    sees: process.arch === "x64" ? "x86_64" : "aarch64",
  },
  {
    of: ["linux.personality.flags"],
    change: (config) => (config.linux.personality = { domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"] }),
    sees: { refused: /linux\.personality\.flags: there are none so far/ },
  },
  {
    of: ["linux.memoryPolicy", "linux.memoryPolicy.mode", "linux.memoryPolicy.nodes"],
    word: "MPOL_BIND",
    change: (config) => (config.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0" }),
    script: "grep -om 1 bind:0 /proc/self/numa_maps | head -n 1",
    sees: "bind:0",
  },
  {
    of: ["linux.memoryPolicy.flags", "linux.memoryPolicy.flags[]"],
    word: "MPOL_F_STATIC_NODES",
    change: (config) =>
      (config.linux.memoryPolicy = { mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }),
    script: "grep -om 1 prefer=static:0 /proc/self/numa_maps | head -n 1",
    sees: "prefer=static:0",
  },
  {
    of: "linux.intelRdt",
    change: (config) => (config.linux.intelRdt = { closID: "guaranteed" }),
    sees: { refused: /linux\.intelRdt: Intel Resource Director Technology is not supported/ },
  },
];
