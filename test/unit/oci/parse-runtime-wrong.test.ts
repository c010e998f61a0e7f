import { describe, expect, test } from "bun:test";
import { parseRuntimeConfig } from "../../../src/oci/parse-runtime.ts";
import { failureOf } from "../../helpers/failure.ts";
import { fullConfig, jsonOf, pathText, placesOf, valueAt, withValue } from "../../helpers/full-config.ts";

const parse = (config: unknown) =>
  parseRuntimeConfig(new TextEncoder().encode(jsonOf(config)), { path: "config.json" });
/** Why a document is refused. */
function refusal(config: unknown): string | undefined {
  const { code, step, because } = failureOf(() => parse(config));
  expect([code, step]).toEqual(["BAD_CONFIG", "read config.json"]);
  return because;
}
const minimal = { ociVersion: "1.0.0", root: { path: "rootfs" } };

describe("a value of the wrong type, at every place", () => {
  for (const path of placesOf(fullConfig)) {
    const value = valueAt(fullConfig, path);
    const wrong = typeof value === "object" ? "wrong" : { wrong: true };
    test(pathText(path), () => {
      expect(refusal(withValue(fullConfig, path, wrong))).toStartWith(`${pathText(path)}: expected `);
    });
  }
});

describe("a value that is wrong", () => {
  const { linux } = fullConfig;
  const cases: readonly [path: string, value: unknown, message: string][] = [
    ["ociVersion", "2.0.0", "ociVersion: version 2.0.0 is not supported"],
    ["ociVersion", "0.5.0", "ociVersion: version 0.5.0 is not supported"],
    ["ociVersion", "1.0", 'ociVersion: expected a version such as 1.2.0, got "1.0"'],
    ["ociVersion", undefined, "ociVersion: expected a string, got nothing"],
    ["root", undefined, "root: expected an object, got nothing"],
    ["root.path", "", "root.path: expected a path"],
    ["root.path", "a\0b", "root.path: expected a string without NUL"],
    ["hostname", "x".repeat(65), "hostname: expected at most 64 bytes"],
    ["domainname", "ä".repeat(33), "domainname: expected at most 64 bytes"],
    ["annotations", { "": "x" }, "annotations: it has an annotation without a name"],
    ["mounts.0.destination", "", "mounts[0].destination: expected a path"],
    ["mounts.0.gidMappings", [], "mounts[0]: uidMappings needs gidMappings beside it"],
    ["mounts.0.uidMappings", undefined, "mounts[0]: gidMappings needs uidMappings beside it"],
    ["mounts.0.uidMappings.0.size", 0, "mounts[0].uidMappings[0].size: expected an integer from 1"],
    ["hooks.poststop.0.path", "hook", 'hooks.poststop[0].path: expected an absolute path, got "hook"'],
    ["hooks.poststop.0.timeout", 0, "hooks.poststop[0].timeout: expected an integer ≥ 1"],
    ["hooks.poststop.0.env.0", "A", 'hooks.poststop[0].env[0]: expected NAME=VALUE, got "A"'],
    ["process.cwd", "work", "process.cwd: expected an absolute path"],
    ["process.cwd", undefined, "process.cwd: expected a string, got nothing"],
    ["process.env.1", "=x", "process.env[1]: expected NAME=VALUE"],
    ["process.args", [], "process.args: expected a command, got an empty list"],
    ["process.args", undefined, "process.args: expected a command, got nothing"],
    ["process.user.uid", -1, "process.user.uid: expected an integer from 0 to 4294967294"],
    ["process.user.gid", 4294967295, "process.user.gid: expected an integer from 0 to 4294967294"],
    ["process.user.umask", 0o1000, "process.user.umask: expected an integer from 0 to 511"],
    ["process.user.additionalGids.1", 1.5, "process.user.additionalGids[1]: expected an integer"],
    ["process.consoleSize.width", 65536, "process.consoleSize.width: expected an integer from 0 to 65535"],
    ["process.rlimits.0.type", "RLIMIT_FILES", "process.rlimits[0].type: expected one of RLIMIT_AS"],
    ["process.rlimits.1.type", "RLIMIT_NOFILE", "process.rlimits: [1] and [0] both limit RLIMIT_NOFILE"],
    ["process.rlimits.0.soft", -1, "process.rlimits[0].soft: expected an integer from 0"],
    ["process.rlimits.0.hard", undefined, "process.rlimits[0].hard: expected an integer from 0"],
    ["process.oomScoreAdj", 1001, "process.oomScoreAdj: expected an integer from -1000 to 1000"],
    ["process.scheduler.policy", "SCHED_FAST", "process.scheduler.policy: expected one of SCHED_OTHER"],
    ["process.scheduler.policy", "SCHED_OTHER", "process.scheduler.runtime: only SCHED_DEADLINE has one"],
    ["process.scheduler", { policy: "SCHED_ISO" }, "process.scheduler.policy: SCHED_ISO is in no kernel"],
    [
      "process.scheduler",
      { policy: "SCHED_BATCH", priority: 1 },
      "process.scheduler.priority: only SCHED_FIFO and SCHED_RR",
    ],
    ["process.scheduler.nice", 20, "process.scheduler.nice: expected an integer from -20 to 19"],
    ["process.scheduler.flags.0", "RECLAIM", "process.scheduler.flags[0]: expected one of SCHED_FLAG_RESET_ON_FORK"],
    ["process.ioPriority.class", "IOPRIO_CLASS_NONE", "process.ioPriority.class: expected one of IOPRIO_CLASS_RT"],
    ["process.ioPriority.priority", 8, "process.ioPriority.priority: expected an integer from 0 to 7"],
    ["process.execCPUAffinity.initial", "3-1", "process.execCPUAffinity.initial: expected a list of numbers"],
    ["process.execCPUAffinity.final", "0-9999", "process.execCPUAffinity.final: expected a list of numbers"],
    ["linux.namespaces.0.type", "net", "linux.namespaces[0].type: expected one of cgroup"],
    ["linux.namespaces.0.type", "uts", "linux.namespaces: [4] and [0] are both of type uts"],
    ["linux.namespaces.1.path", "netns/a", "linux.namespaces[1].path: expected an absolute path"],
    ["linux.uidMappings.0.hostID", 4294967294, "linux.uidMappings[0].size: it reaches beyond the last id"],
    ["linux.devices.0.type", "x", "linux.devices[0].type: expected one of c, b, u, p"],
    ["linux.devices.0.path", "fuse", "linux.devices[0].path: expected an absolute path"],
    ["linux.devices.0.minor", undefined, "linux.devices[0].minor: expected an integer"],
    ["linux.devices.0.major", 4096, "linux.devices[0].major: expected an integer from 0 to 4095"],
    ["linux.sysctl", { "kernel.panic": "1" }, "linux.sysctl: kernel.panic is the host's, no namespace has its own"],
    ["linux.sysctl", { "kernel.hostname": "x" }, 'linux.sysctl: kernel.hostname is what "hostname" sets'],
    ["linux.sysctl", { "net/../kernel/panic": "1" }, 'linux.sysctl: "net/../kernel/panic" is no name'],
    ["linux.sysctl", { "": "1" }, 'linux.sysctl: "" is no name'],
    ["linux.maskedPaths.0", "proc", "linux.maskedPaths[0]: expected an absolute path"],
    ["linux.readonlyPaths.0", "proc", "linux.readonlyPaths[0]: expected an absolute path"],
    ["linux.rootfsPropagation", "all", "linux.rootfsPropagation: expected one of shared"],
    ["linux.cgroupsPath", "/a/../..", 'linux.cgroupsPath: expected a path without ".."'],
    ["linux.cgroupsPath", "/a\nb", "linux.cgroupsPath: expected a path without line breaks"],
    ["linux.timeOffsets", { realtime: { secs: 1 } }, "linux.timeOffsets: no clock with an offset is named realtime"],
    ["linux.timeOffsets.monotonic.nanosecs", 1e9, "linux.timeOffsets.monotonic.nanosecs: expected an integer from 0"],
    ["linux.namespaces.7.path", "/proc/1/ns/time", "linux.timeOffsets: the time namespace is not a new one"],
    ["linux.netDevices", { "a/b": {} }, "linux.netDevices.a/b: expected the name of a network device"],
    ["linux.netDevices.eth7.name", "a name that is too long", "linux.netDevices.eth7.name: expected the name of"],
    ["linux.personality.domain", "BSD", "linux.personality.domain: expected one of LINUX, LINUX32"],
    ["linux.memoryPolicy", {}, "linux.memoryPolicy.mode: expected"],
    ["linux.memoryPolicy.mode", "MPOL_NONE", "linux.memoryPolicy.mode: expected one of MPOL_DEFAULT"],
    ["linux.memoryPolicy.nodes", "bad", "linux.memoryPolicy.nodes: expected a list of numbers"],
    ["linux.memoryPolicy.flags", ["BAD"], "linux.memoryPolicy.flags[0]: expected one of MPOL_F_NUMA_BALANCING"],
    ["linux.personality.flags", ["ADDR_NO_RANDOMIZE"], "linux.personality.flags: there are none so far"],
    ["linux.intelRdt", {}, "linux.intelRdt: Intel Resource Director Technology is not supported"],
    ["linux.seccomp.defaultAction", "SCMP_ACT_ASK", "linux.seccomp.defaultAction: expected one of SCMP_ACT_ALLOW"],
    ["linux.seccomp.defaultErrnoRet", 4096, "linux.seccomp.defaultErrnoRet: expected an integer from 0 to 4095"],
    ["linux.seccomp.defaultAction", "SCMP_ACT_KILL", "linux.seccomp.defaultErrnoRet: SCMP_ACT_KILL takes no errno"],
    ["linux.seccomp.architectures.0", "x86_64", "linux.seccomp.architectures[0]: expected one of SCMP_ARCH_AARCH64"],
    ["linux.seccomp.flags.0", "SECCOMP_FILTER_FLAG_NEW_LISTENER", "linux.seccomp.flags[0]: expected one of"],
    ["linux.seccomp.listenerPath", "agent", "linux.seccomp.listenerPath: expected an absolute path"],
    ["linux.seccomp.listenerPath", "", "linux.seccomp.listenerMetadata: it needs listenerPath beside it"],
    ["linux.seccomp", { defaultAction: "SCMP_ACT_NOTIFY" }, "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs it"],
    ["linux.seccomp.syscalls.0.names", [], "linux.seccomp.syscalls[0].names: expected names"],
    [
      "linux.seccomp.syscalls.0.action",
      "SCMP_ACT_ALLOW",
      "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW takes no",
    ],
    ["linux.seccomp.syscalls.0.errnoRet", 65536, "linux.seccomp.syscalls[0].errnoRet: expected an integer from 0 to"],
    [
      "linux.seccomp.syscalls.0.args.0.index",
      6,
      "linux.seccomp.syscalls[0].args[0].index: expected an integer from 0 to 5",
    ],
    [
      "linux.seccomp.syscalls.0.args.0.value",
      -1,
      "linux.seccomp.syscalls[0].args[0].value: expected an integer from 0",
    ],
    ["linux.seccomp.syscalls.0.args.0.op", "==", "linux.seccomp.syscalls[0].args[0].op: expected one of SCMP_CMP_EQ"],
    ["linux.resources.devices.0.allow", undefined, "linux.resources.devices[0].allow: expected true or false"],
    ["linux.resources.devices.0.type", "p", "linux.resources.devices[0].type: expected one of a, b, c"],
    ["linux.resources.devices.0.access", "rx", 'linux.resources.devices[0].access: expected some of "rwm"'],
    ["linux.resources.memory.limit", -2, "linux.resources.memory.limit: expected an integer from -1"],
    ["linux.resources.memory.swappiness", 101, "linux.resources.memory.swappiness: expected an integer from 0 to 100"],
    ["linux.resources.cpu.burst", 100_001, "linux.resources.cpu.burst: it is above the quota, 100000"],
    ["linux.resources.cpu.cpus", "all", "linux.resources.cpu.cpus: expected a list of numbers"],
    ["linux.resources.cpu.idle", 2, "linux.resources.cpu.idle: expected an integer from 0 to 1"],
    ["linux.resources.pids.limit", undefined, "linux.resources.pids.limit: expected an integer from -1"],
    ["linux.resources.blockIO.weight", 65536, "linux.resources.blockIO.weight: expected an integer from 0 to 65535"],
    [
      "linux.resources.blockIO.weightDevice.0",
      { major: 8, minor: 0 },
      "linux.resources.blockIO.weightDevice[0]: expected weight or",
    ],
    [
      "linux.resources.blockIO.throttleReadBpsDevice.0.rate",
      -1,
      "linux.resources.blockIO.throttleReadBpsDevice[0].rate: expected",
    ],
    [
      "linux.resources.hugepageLimits.0.pageSize",
      "2 MB",
      "linux.resources.hugepageLimits[0].pageSize: expected a size",
    ],
    [
      "linux.resources.network.priorities.0.name",
      "a b",
      "linux.resources.network.priorities[0].name: expected the name",
    ],
    ["linux.resources.rdma.mlx5_1", {}, "linux.resources.rdma.mlx5_1: expected hcaHandles or hcaObjects or both"],
    ["linux.resources.rdma", { "a b": { hcaHandles: 1 } }, 'linux.resources.rdma: "a b" is no name of a device'],
    ["linux.resources.unified", { "../x.y": "1" }, 'linux.resources.unified: "../x.y" is no file of a control group'],
  ];
  test.each(cases)("%s: %p", (path, value, message) => {
    const keys = path.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    expect(refusal(withValue(fullConfig, keys, value))).toStartWith(message);
  });

  const only = (config: object, linuxConfig: object = {}) => ({
    ...minimal,
    ...config,
    linux: { namespaces: [], ...linuxConfig },
  });
  test.each([
    ["hostname", only({ hostname: "a" }), "hostname: it needs a uts namespace"],
    ["domainname", only({ domainname: "a" }), "domainname: it needs a uts namespace"],
    ["uidMappings", only({}, { uidMappings: linux.uidMappings }), "linux.uidMappings: it needs a user namespace"],
    ["gidMappings", only({}, { gidMappings: linux.uidMappings }), "linux.gidMappings: it needs a user namespace"],
    ["maskedPaths", only({}, { maskedPaths: ["/a"] }), "linux.maskedPaths: it needs a mount namespace"],
    ["readonlyPaths", only({}, { readonlyPaths: ["/a"] }), "linux.readonlyPaths: it needs a mount namespace"],
    ["netDevices", only({}, { netDevices: { a: {} } }), "linux.netDevices: it needs a network namespace"],
    ["timeOffsets", only({}, { timeOffsets: { boottime: {} } }), "linux.timeOffsets: it needs a time namespace"],
    [
      "net.*",
      only({}, { sysctl: { "net/core/somaxconn": "1" } }),
      "linux.sysctl: net/core/somaxconn is the host's without a network",
    ],
    [
      "kernel.sem",
      only({}, { sysctl: { "kernel.sem": "1" } }),
      "linux.sysctl: kernel.sem is the host's without a ipc namespace",
    ],
    ["fs.mqueue", only({}, { sysctl: { "fs.mqueue.msg_max": "1" } }), "linux.sysctl: fs.mqueue.msg_max is the host's"],
    [
      "kernel.domainname",
      only({}, { sysctl: { "kernel.domainname": "a" } }),
      "linux.sysctl: kernel.domainname is the host's",
    ],
    [
      "idmap",
      only({ mounts: [{ destination: "/a", options: ["ro", "ridmap"] }] }),
      "mounts[0].options: ridmap needs uidMappings",
    ],
    [
      "a domain name that is said twice",
      only({ domainname: "b" }, { namespaces: [{ type: "uts" }], sysctl: { "kernel.domainname": "a" } }),
      'linux.sysctl: kernel.domainname is "a", "domainname" is "b"',
    ],
  ])("what needs a namespace, or the like: %s", (_, config, message) => {
    expect(refusal(config)).toStartWith(message);
  });

  test("an empty list needs no namespace", () => {
    expect(() => parse(only({}, { uidMappings: [], maskedPaths: [], sysctl: {}, timeOffsets: {} }))).not.toThrow();
  });
});
